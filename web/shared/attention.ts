// What serves how a reader reads: with enlarged text, with the keyboard, by ear.
import { h, uniqueId } from "./dom.ts";

/** How much larger an element's text is than usual, where the reader wants it larger. */
export function enlarged(element: Element): number {
  return parseFloat(getComputedStyle(element).fontSize) / 15;
}

/** Give the focus to what `find` finds once all is drawn: the button that was pressed is gone then. */
export function goOn(find: () => HTMLElement | null | undefined, options?: FocusOptions): void {
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const place = find();
    if (place && place.tabIndex < 0) place.tabIndex = -1;
    place?.focus(options);
  }));
}

/** A line that is read out when it changes; not while `control` has the focus, whose own value says
 * the same, nor while it changes too often (`busy`). `listen` looks again whether it is. */
export function readoutOf(control: Element, busy: () => unknown = () => 0) {
  const element = h("p", { class: "rnx-readout", id: uniqueId() });
  const listen = () => element.setAttribute("aria-live", busy() || control.matches(":focus-within") ? "off" : "polite");
  for (const event of ["focusin", "focusout"]) control.addEventListener(event, listen);
  listen();
  return { element, listen };
}
