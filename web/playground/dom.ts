// What building the page by hand needs beyond elements.
import { h, uniqueId } from "../shared/dom.ts";

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
    const name = uniqueId();
    this.inputs = options.map(([value]) =>
      h("input", { type: "radio", name, value, onchange: () => changed(value) }),
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
