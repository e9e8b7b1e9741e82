// Predictions (book/_ext/predict.py): the answer is hidden until the reader commits to one, or
// wants to be shown. What was said is remembered as long as the tab is open.
document.documentElement.classList.add("predicting"); // before anything is painted

document.addEventListener("DOMContentLoaded", () => {
  const places = [...document.querySelectorAll(".predict")];
  const key = (place) => `predict ${location.pathname} ${places.indexOf(place)}`;

  function remembered(place) {
    try { return sessionStorage.getItem(key(place)); } catch { return null; }
  }
  function remember(place, said) {
    try { sessionStorage.setItem(key(place), said); } catch { /* forbidden: not kept */ }
  }

  const asked = (form) => form.querySelector("input[type=number]");

  // said: the value that the reader chose or typed, empty for "just show me".
  function open(place, said) {
    const form = place.querySelector("form");
    place.classList.add("predict-open");
    form.querySelector("fieldset").disabled = true;
    form.querySelector(".predict-buttons").hidden = true;
    const words = asked(form) ? `${said} ${asked(form).dataset.unit}` : said;
    place.querySelector(".predict-yours").textContent =
      said ? `Your prediction: ${words}. The measurement:` : "Without a prediction, the measurement:";
  }

  for (const place of places) {
    const form = place.querySelector("form");
    const before = remembered(place);
    if (before !== null) {
      for (const input of form.querySelectorAll("input")) {
        if (input.type === "number") input.value = before;
        else input.checked = input.value === before;
      }
      open(place, before);
      continue;
    }
    form.querySelector(".predict-buttons").hidden = false;
    const commit = (said) => {
      remember(place, said);
      open(place, said);
      // The button that had the focus is gone: go on where the answer begins.
      place.querySelector(".predict-yours").focus();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      commit((asked(form) ?? form.querySelector("input:checked")).value);
    });
    form.querySelector(".predict-skip").addEventListener("click", () => commit(""));
  }

  // A link to a figure that is still hidden leads to its question, and says so.
  function follow() {
    const target = document.getElementById(wanted());
    const place = target?.closest(".predict:not(.predict-open)");
    if (!place) return;
    const figure = target.querySelector(".caption-number")?.textContent.trim();
    const note = place.querySelector(".predict-waits") ?? document.createElement("p");
    note.className = "predict-waits";
    note.textContent = `${figure || "What the link leads to"} comes after your answer.`;
    place.querySelector("fieldset").prepend(note);
    place.scrollIntoView();
    place.querySelector("input").focus({ preventScroll: true });
  }
  function wanted() {
    try { return decodeURIComponent(location.hash.slice(1).split("?")[0]); } catch { return ""; }
  }
  addEventListener("hashchange", follow);
  addEventListener("click", (event) => {
    if (event.target.closest?.('a[href^="#"]')) setTimeout(follow); // the same address once more
  });
  follow();
});
