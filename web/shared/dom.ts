// Elements in one call: h("button", { type: "button", onclick: go }, "Go"), s("circle", { r: 3 }).

type Value = string | number | boolean | null | undefined;
type Listener = (event: any) => void;
/** Listeners are named "on...", and nothing else is. */
type Attributes<A> = { [N in keyof A]: N extends `on${string}` ? Listener | undefined : Value };
type Child = Node | string | null | undefined | false;

function fill(element: Element, attributes: Record<string, Value | Listener>, children: Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child != null && child !== false));
}

/** An HTML element; attributes that begin with "on" are listeners, false and null are left out. */
export function h<K extends keyof HTMLElementTagNameMap, A extends Attributes<A>>(
  tag: K,
  attributes: A = {} as A,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/** An SVG element. */
export function s<K extends keyof SVGElementTagNameMap, A extends Attributes<A>>(
  tag: K,
  attributes: A = {} as A,
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, attributes, children);
  return element;
}

/** Calls draw in the next frame when an element's width has changed: a drawing that changes the
 * page's layout at once would set the observer off again. Returns what ends it. */
export function onWidth(element: Element, draw: (width: number) => void): () => void {
  let frame = 0;
  let last: number | undefined;
  const observer = new ResizeObserver(([entry]) => {
    const { width } = entry.contentRect;
    if (width === last) return;
    last = width;
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => draw(width));
  });
  observer.observe(element);
  return () => {
    observer.disconnect();
    cancelAnimationFrame(frame);
  };
}

let ids = 0;

/** An id that no other element of the page has. */
export function uniqueId(): string {
  return `rnx-${(ids += 1)}-${Math.random().toString(36).slice(2, 7)}`;
}
