// Puts the playground into its page when the reader comes near it. Where it cannot run, the
// recorded runs stay, and a sentence says why.
(() => {
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
    try {
      const { mount } = await import(new URL(module, here).href);
      const { language } = place.dataset;
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
  follow();
})();
