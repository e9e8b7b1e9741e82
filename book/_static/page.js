// On paper every page is light: figures and formulas take the page's colours.
addEventListener("beforeprint", () => {
  const root = document.documentElement;
  if (root.dataset.theme !== "dark") return;
  root.dataset.theme = "light";
  addEventListener("afterprint", () => (root.dataset.theme = "dark"), { once: true });
});

// Where the script that runs explorers does not load, nothing would bring their plain figures back.
addEventListener("error", ({ target }) => {
  if (!target.matches?.("script[data-files]")) return;
  for (const each of document.querySelectorAll(".explorer-asks")) each.classList.remove("explorer-asks");
}, true); // such an event does not bubble

// A button that opens a box has the box's name, in the language of the page: all had one English name.
addEventListener("load", () => {
  for (const each of document.querySelectorAll(".admonition-title .toggle-button"))
    each.setAttribute("aria-label", each.closest(".admonition-title").textContent.trim());
});

// On a phone the contents of the page lie over it: they go away when one of them is chosen.
addEventListener("click", (event) => {
  event.target.closest?.('dialog a[href^="#"]')?.closest("dialog").close();
});

// A link to another view of what stands on this page, such as #playground?lesson=drops, takes the
// place of the address: going back leaves the page, and never the address beside another view.
addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"][href*="?"]');
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (link.href !== location.href) location.replace(link.href);
  else dispatchEvent(new HashChangeEvent("hashchange")); // the reader has scrolled away from it
});

// A page whose title has all the words comes first. (The search begins with DOMContentLoaded, so it
// is told before that.)
document.addEventListener("readystatechange", () => {
  if (typeof Scorer === "undefined") return;
  const asked = (new URLSearchParams(location.search).get("q") ?? "").toLowerCase().split(/\s+/);
  const named = (title) => !title.includes(" > ") && asked.every((word) => title.toLowerCase().includes(word));
  Scorer.score = ([, title, , , score]) => score + (named(title) ? 100 : 0);
});

// Of a page that was found the search shows where most of the words stand closest together, not
// where the first of them stands first; its contents, drawings and scripts do not count.
addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  const LENGTH = 240;
  const NOT_TEXT = ".headerlink, script, style, svg, .explorer, #playground";

  function textOf(page, anchor) {
    const whole = new DOMParser().parseFromString(page, "text/html");
    whole.querySelectorAll(NOT_TEXT).forEach((each) => each.remove());
    const main = whole.querySelector("article.bd-article");
    const part = (anchor && main?.querySelector(anchor)) || main;
    return part?.textContent.replace(/\s+/g, " ").trim() ?? "";
  }

  /** Where the words begin, in order: an English one where a word begins. */
  function placesOf(text, words) {
    const found = words.flatMap((word) => {
      const within = new RegExp(word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
      const english = /^[\x00-\u024f]+$/.test(word);
      const begins = ({ index }) => !english || !/[\p{L}\p{N}]/u.test(text[index - 1] ?? " ");
      return [...text.matchAll(within)].filter(begins).map(({ index }) => ({ word, index }));
    });
    return found.sort((one, other) => one.index - other.index);
  }

  /** The place from which an excerpt holds most of the words, as close together as they come. */
  function best(places) {
    let [start, most, closest] = [0, 0, Infinity];
    places.forEach(({ index }, i) => {
      const seen = new Set();
      for (const each of places.slice(i)) {
        if (each.index - index > LENGTH * 0.6) break;
        seen.add(each.word);
        const apart = each.index - index;
        if (seen.size < most || (seen.size === most && apart >= closest)) continue;
        [start, most, closest] = [index, seen.size, apart];
      }
    });
    return start;
  }

  Search.makeSearchSummary = (page, words, anchor) => {
    const text = textOf(page, anchor);
    if (!text) return null;
    let from = Math.max(best(placesOf(text, [...words])) - LENGTH / 3, 0);
    if (from) from = text.indexOf(" ", from) + 1 || from;
    let to = from + LENGTH;
    if (to < text.length) to = Math.max(text.lastIndexOf(" ", to), from + LENGTH / 2);
    const excerpt = document.createElement("p");
    excerpt.className = "context";
    excerpt.textContent = (from ? "… " : "") + text.slice(from, to) + (to < text.length ? " …" : "");
    return excerpt;
  };
});
