// Puts the explorers into a page of the book, each when the reader comes near it. Where that cannot
// be (a page opened as a file, data that fail to load), the plain figure and its sentence stay.
(() => {
  const LOST = {
    en: "The explorer could not be loaded; this is its plain figure.",
    zh: "交互图无法加载；这是它的静态图。",
  };
  const FOLDED = { en: "What was measured", zh: "测量结果" };
  const script = document.currentScript;
  const files = JSON.parse(script.dataset.files);
  const address = (key) => new URL(files[key], script.src).href;
  const places = [...document.querySelectorAll(".explorer[data-explorer]")];
  for (const place of places) place.id ||= `explorer-${place.dataset.explorer}`; // in a notebook's page
  if (!["http:", "https:"].includes(location.protocol)) return places.forEach(fold);

  /** The plain figure of an explorer that asks first: shown to those who want it. */
  function fold(place) {
    if (!place.classList.contains("explorer-asks")) return;
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = FOLDED[place.dataset.language] ?? FOLDED.en;
    details.append(summary, ...[...place.childNodes].filter((each) => !each.matches?.(".explorer-hint")));
    place.prepend(details);
    place.classList.remove("explorer-asks");
  }

  const loaded = new Map();
  const once = (key, load) => {
    if (!loaded.has(key)) {
      loaded.set(key, load());
      loaded.get(key).catch(() => loaded.delete(key)); // the next explorer tries again
    }
    return loaded.get(key);
  };
  async function json(name) {
    const answer = await fetch(address(name));
    if (!answer.ok) throw new Error(`${answer.url}: ${answer.status}`);
    return answer.json();
  }

  const began = new Map(); // element -> promise of what mount returned
  const begin = (place) => {
    if (!began.has(place)) began.set(place, start(place));
    return began.get(place);
  };
  async function start(place) {
    const name = place.dataset.explorer;
    const target = document.createElement("div");
    try {
      const [module, data] = await Promise.all([
        once("module", () => import(address("module"))),
        once(name, () => json(name)),
      ]);
      place.append(target); // in the page from the start: a chart must know how wide it is
      const usual = place.dataset.state;
      const mounted = module.mount(target, {
        name,
        data,
        state: asked(place) ?? usual,
        language: place.dataset.language,
        links: JSON.parse(script.dataset.links),
        onState: (query) => note(link(place, query)),
        link: (query) => new URL(link(place, query), location.href).href,
      });
      const plain = document.createElement("div"); // from now on for paper only
      plain.className = "explorer-plain";
      plain.append(...[...place.childNodes].filter((each) => each !== target));
      target.className = "explorer-live";
      place.append(plain);
      place.dataset.ready = "";
      return mounted;
    } catch (error) {
      console.warn(error);
      target.remove();
      fold(place);
      const hint = place.querySelector(".explorer-hint");
      if (hint) hint.textContent = LOST[place.dataset.language] ?? LOST.en;
    }
  }

  // Not at every step of a slider: browsers refuse an address that changes too often.
  let noting = 0;
  let known = location.hash; // as it was when this was last heard of
  const note = (address) => {
    clearTimeout(noting);
    noting = setTimeout(() => {
      if (location.hash !== known) return; // a link was followed just now, and is about to be heard of
      history.replaceState(null, "", address);
      known = location.hash;
    }, 200);
  };

  // A view's address: #explorer-runs?step=free&at=1600. Where the page sets a state of its own, an
  // empty one is said, too.
  const link = (place, query) => `#${place.id}${query || place.dataset.state ? `?${query}` : ""}`;
  const asked = (place) => {
    const [id, query] = location.hash.slice(1).split(/\?(.*)/s);
    return id === place.id ? (query ?? null) : null;
  };
  async function follow(goes = true) {
    clearTimeout(noting); // what was seen before must not take the address's place
    known = location.hash;
    const place = places.find((each) => location.hash.slice(1).split("?")[0] === each.id);
    if (!place) return;
    const state = asked(place);
    const mounted = await begin(place);
    if (mounted && state !== null) mounted.read(state);
    if (goes) place.scrollIntoView({ block: "start" });
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        begin(target);
      }
    },
    { rootMargin: "600px" },
  );
  places.forEach((place) => near.observe(place));
  addEventListener("hashchange", () => follow());
  // Who comes back to the page, or loads it anew, is where they were.
  const [way] = performance.getEntriesByType("navigation");
  follow(!["reload", "back_forward"].includes(way?.type));
})();
