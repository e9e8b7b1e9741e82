// The few things that building a page by hand needs.

type Child = Node | string | undefined | false;
type Attributes = Record<string, string | number | boolean | ((event: any) => void) | undefined>;

let lastId = 0;

/** An id that nothing else on the page has, even where two playgrounds stand on it. */
export const freshId = (): string => `playground-${++lastId}`;

/** An element with attributes (functions listen to the event of their name) and children. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}

/** Put text where it differs, so that nothing is laid out or read out anew without need. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A group of radio buttons that look like one control. */
export class Segments<Value extends string> {
  readonly element: HTMLFieldSetElement;
  private readonly inputs: HTMLInputElement[];

  constructor(
    legend: string,
    options: readonly (readonly [Value, string])[],
    changed: (value: Value) => void,
  ) {
    const name = freshId();
    this.inputs = options.map(([value]) =>
      h("input", { type: "radio", name, value, change: () => changed(value) }),
    );
    const labels = options.map(([, text], i) => h("label", {}, this.inputs[i], h("span", {}, text)));
    const row = h("div", { class: "segments" }, ...labels);
    this.element = h("fieldset", { class: "field" }, h("legend", {}, legend), row);
  }

  set value(value: Value) {
    for (const input of this.inputs) input.checked = input.value === value;
  }

  set disabled(disabled: boolean) {
    this.element.disabled = disabled;
  }
}
