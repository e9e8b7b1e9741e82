// The prediction gate: a question that wants the reader's answer before it shows the measured one.
// "Just show me" stands beside it. Three kinds of answer: a choice, a number, a drawn line (the
// line is drawn in a chart, see chart.ts; here are its buttons).
import { button, choice, type Option } from "./controls.ts";
import { h } from "./dom.ts";
import type { Texts } from "./words.ts";

export interface Gate {
  element: HTMLElement;
  /** Whether the answer so far is enough to be committed. */
  ready(yes: boolean): void;
}

/** The frame of a gate: question, means to answer, two buttons. `show` hears the answer or null. */
export function gate(
  texts: Texts,
  question: string,
  answer: HTMLElement | null,
  commit: () => void,
  skip: () => void,
): Gate {
  /** The button that was pressed is gone then: go on where the answer stands. */
  const andRead = (act: () => void) => () => {
    const explorer = element.closest(".rnx");
    act();
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const verdict = explorer?.querySelector<HTMLElement>(".rnx-verdict");
      if (!verdict || element.isConnected && element.offsetParent) return;
      verdict.tabIndex = -1;
      verdict.focus({ preventScroll: true });
    }));
  };
  const main = button(texts.commit, andRead(commit), "main");
  const element: HTMLElement = h(
    "div",
    { class: "rnx-gate" },
    h("p", { class: "rnx-ask" }, question),
    answer,
    h("p", { class: "rnx-actions" }, main, button(texts.justShow, andRead(skip), "quiet")),
  );
  main.disabled = true;
  return { element, ready: (yes) => void (main.disabled = !yes) };
}

/** A gate that asks for one of a few options. */
export function choiceGate(
  texts: Texts,
  question: string,
  options: Option[],
  show: (answer: string | null) => void,
): Gate {
  let answer: string | null = null;
  const control = choice(texts.prediction, options, (value) => {
    answer = value;
    frame.ready(true);
  });
  const frame = gate(texts, question, control.element, () => show(answer), () => show(null));
  return frame;
}

/** A gate that asks for a number. */
export function numberGate(
  texts: Texts,
  question: string,
  unit: string,
  show: (answer: number | null) => void,
): Gate {
  const valid = (): boolean => input.value !== "" && Number.isFinite(input.valueAsNumber);
  const input: HTMLInputElement = h("input", {
    type: "number",
    inputmode: "decimal",
    step: "any",
    oninput: () => frame.ready(valid()),
    onkeydown: (event: KeyboardEvent) => event.key === "Enter" && valid() && show(input.valueAsNumber),
  });
  const label = h("label", { class: "rnx-number" }, h("span", {}, texts.prediction), input, h("span", {}, unit));
  const frame = gate(texts, question, label, () => show(input.valueAsNumber), () => show(null));
  return frame;
}
