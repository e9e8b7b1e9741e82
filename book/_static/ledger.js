// The ledger's filters work without a script. With one, the address keeps what is chosen, and a link
// to a claim or chapter that is left out shows it again.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector(".ledger-filters");
  if (!form) return;
  const names = ["verdict", "kind"];
  const choose = (name, value) => {
    const input = document.getElementById(`${name}-${value}`);
    if (input && form.contains(input)) input.checked = true;
  };

  const chosen = (name) => form.querySelector(`[name=ledger-${name}]:checked`).id.slice(name.length + 1);

  /** How many claims each choice would leave, the other one given. */
  function count() {
    for (const input of form.elements) {
      if (!input.name) continue; // a fieldset
      const own = input.name.slice("ledger-".length);
      const values = names.map((name) => [name, name === own ? input.id.slice(name.length + 1) : chosen(name)]);
      const card = values.filter(([, value]) => value !== "all").map(([name, value]) => `.${name}-${value}`).join("");
      const left = document.querySelectorAll(`.claim${card}`).length;
      const label = input.closest("label");
      label.querySelector("small").textContent = left;
      label.classList.toggle("leaves-none", left === 0);
    }
  }

  function keep() {
    count();
    const all = [...document.querySelectorAll(".claim")];
    const seen = all.filter((claim) => claim.getClientRects().length > 0).length;
    form.querySelector(".ledger-shown").textContent = seen < all.length ? `${seen} of ${all.length} claims` : "";
    const address = new URL(location.href);
    for (const name of names) {
      const value = chosen(name);
      if (value === "all") address.searchParams.delete(name);
      else address.searchParams.set(name, value);
    }
    history.replaceState(history.state, "", address);
  }

  /** Show what the address leads to, if the choices leave it out. */
  function follow() {
    const target = document.getElementById(location.hash.slice(1));
    if (!target || target.getClientRects().length > 0) return;
    for (const name of names) choose(name, "all");
    keep();
    target.scrollIntoView();
  }

  const asked = new URLSearchParams(location.search);
  for (const name of names) choose(name, asked.get(name));
  count();
  form.addEventListener("change", () => {
    keep();
    const target = document.getElementById(location.hash.slice(1));
    if (!target || target.getClientRects().length > 0) return;
    // What the address names is left out now: there it would undo the choice when the page is loaded anew.
    history.replaceState(history.state, "", location.pathname + location.search);
  });
  addEventListener("hashchange", follow);
  addEventListener("click", (event) => {
    if (event.target.closest?.('a[href^="#"]')) setTimeout(follow); // the same address once more
  });
  follow();
});
