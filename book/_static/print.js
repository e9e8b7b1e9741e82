// On paper every page is light: figures and formulas take the page's colours.
addEventListener("beforeprint", () => {
  const root = document.documentElement;
  if (root.dataset.theme !== "dark") return;
  root.dataset.theme = "light";
  addEventListener("afterprint", () => (root.dataset.theme = "dark"), { once: true });
});
