// Puts the playground into its page when the reader comes near it. Where it cannot run, the
// recorded runs stay, and a sentence says why.
(() => {
  const LOST = {
    en: "The playground could not be loaded, so nothing can be trained here; the figure shows recorded runs.",
    zh: "游乐场无法加载，不能在此训练；图中是存档的训练记录。",
  };
  const { module, images } = document.currentScript.dataset;
  const place = document.getElementById("playground");
  const hint = place.querySelector(".playground-hint");
  const explain = (sentence) => {
    hint.textContent = sentence;
    hint.hidden = false;
    place.dataset.plain = "";
  };
  if (!["http:", "https:"].includes(location.protocol)) {
    explain(hint.textContent);
    return;
  }
  const here = new URL(document.currentScript.src);
  let begun;
  const begin = () => (begun ||= start());
  async function start() {
    const target = document.createElement("div");
    const { language } = place.dataset;
    try {
      const { mount } = await import(new URL(module, here).href).catch((error) => {
        console.warn(error);
        throw new Error(LOST[language] ?? LOST.en);
      });
      place.append(target);
      await mount(target, { images: new URL(images, here).href, language });
      place.querySelector(".playground-recorded").remove();
      place.dataset.ready = "";
    } catch (error) {
      target.remove();
      explain(error.message);
    }
  }
  const follow = () => {
    if (location.hash.split("?")[0] !== "#playground") return;
    begin().then(() => place.scrollIntoView({ block: "start" }));
  };
  new IntersectionObserver(([entry]) => entry.isIntersecting && begin(), {
    rootMargin: "300px",
  }).observe(place);
  addEventListener("hashchange", follow);
  // Who comes back to the page, or loads it anew, is where they were.
  const [way] = performance.getEntriesByType("navigation");
  if (!["reload", "back_forward"].includes(way?.type)) follow();
})();
