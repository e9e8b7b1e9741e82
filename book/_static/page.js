// On paper every page is light: figures and formulas take the page's colours.
addEventListener("beforeprint", () => {
  const root = document.documentElement;
  if (root.dataset.theme !== "dark") return;
  root.dataset.theme = "light";
  addEventListener("afterprint", () => (root.dataset.theme = "dark"), { once: true });
});

// On a phone the contents of the page lie over it: they go away when one of them is chosen.
addEventListener("click", (event) => {
  event.target.closest?.('dialog a[href^="#"]')?.closest("dialog").close();
});
