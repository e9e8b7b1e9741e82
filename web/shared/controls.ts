// Controls that show a value and tell of its change; `set` shows a value without telling.
import { h, uniqueId } from "./dom.ts";
import { number } from "./words.ts";

export interface Control<V> {
  element: HTMLElement;
  set(value: V): void;
}

export interface Option {
  value: string;
  label: string;
  title?: string;
  disabled?: boolean;
}

/** One of a few options, as a row of radio buttons. */
export function choice(
  label: string,
  options: Option[],
  change: (value: string) => void,
): Control<string> {
  const name = uniqueId();
  const inputs = options.map(({ value, disabled }) =>
    h("input", { type: "radio", name, value, disabled, onchange: () => change(value) }),
  );
  const labels = options.map((option, i) =>
    h("label", { title: option.title }, inputs[i], h("span", {}, option.label)),
  );
  const row = h("span", { class: "rnx-segments" }, ...labels);
  return {
    element: h("fieldset", { class: "rnx-choice" }, h("legend", {}, label), row),
    set: (value) => inputs.forEach((input) => (input.checked = input.value === value)),
  };
}

/** Yes or no. disable: with a reason why it can be neither, or with none, can again. */
export function toggle(
  label: string, change: (value: boolean) => void,
): Control<boolean> & { disable(reason: string): void } {
  const input = h("input", { type: "checkbox", onchange: () => change(input.checked) });
  const why = h("small", {});
  const element = h("label", { class: "rnx-toggle" }, input, h("span", {}, label, why));
  return {
    element,
    set: (value) => void (input.checked = value),
    disable(reason) {
      input.disabled = Boolean(reason);
      why.textContent = reason && ` ${reason}`;
    },
  };
}

/** One of many options, as a list that opens. */
export function select(
  label: string,
  options: Option[],
  change: (value: string) => void,
): Control<string> {
  const listed = options.map(({ value, label, disabled }) => h("option", { value, disabled }, label));
  const input = h("select", { onchange: () => change(input.value) }, ...listed);
  const element = h("label", { class: "rnx-select" }, h("span", {}, label), input);
  return { element, set: (value) => void (input.value = value) };
}

/** One of the numbers in `stops`, as a slider; `show` puts the value into words. */
export function slider(
  label: string,
  stops: number[],
  change: (value: number) => void,
  show: (value: number) => string = (value) => number(value),
): Control<number> & { stops(stops: number[]): void } {
  const output = h("output", {});
  // The label's first labelable element is the output, so the slider needs a name of its own.
  const named = { "aria-label": label.replace(/:$/, "") };
  const input = h("input", { type: "range", min: 0, step: 1, ...named, oninput: () => change(stops[+input.value]) });
  const element = h("label", { class: "rnx-slider" }, h("span", {}, label, " ", output), input);
  const range = (all: number[]) => {
    stops = all;
    input.max = String(stops.length - 1);
  };
  range(stops);
  return {
    element,
    stops: range,
    set: (value) => {
      input.value = String(nearest(stops, value));
      output.textContent = show(stops[+input.value]);
      input.setAttribute("aria-valuetext", show(stops[+input.value]));
    },
  };
}

/** A button. */
export function button(label: string, press: () => void, kind: "main" | "quiet" | "" = ""): HTMLButtonElement {
  return h("button", { type: "button", class: `rnx-button ${kind && `rnx-${kind}`}`, onclick: press }, label);
}

/** Where in `values` the one nearest to `value` is. */
export function nearest(values: number[], value: number): number {
  let best = 0;
  values.forEach((each, i) => {
    if (Math.abs(each - value) < Math.abs(values[best] - value)) best = i;
  });
  return best;
}
