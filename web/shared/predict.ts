// The prediction gate: a question that wants the reader's answer before it shows the measured one.
// "Just show me" stands beside it. Three kinds of answer: a choice, a number, a drawn line (the
// line is drawn in a chart, see chart.ts; here are its buttons).
import { goOn } from "./attention.ts";
import { button, choice, type Option } from "./controls.ts";
import { h } from "./dom.ts";
import { fill, type Texts } from "./words.ts";

export interface Gate {
  element: HTMLElement;
  /** Whether the answer so far is enough to be committed, by the button or by Enter in a number. */
  ready(yes: boolean): void;
  /** What an answer that is begun still wants; "" for nothing. */
  hint(what: string): void;
  /** As before any answer. */
  clear(): void;
}

/** A gate that hears this event is as before any answer. */
export const CLEAR = "rnx-clear";

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
    const gone = () => !element.isConnected || !element.offsetParent;
    goOn(() => gone() ? explorer?.querySelector<HTMLElement>(".rnx-verdict") : null, { preventScroll: true });
  };
  const committed = andRead(commit);
  const main = button(texts.commit, committed, "main");
  const wanting = h("span", { class: "rnx-wanting", role: "status" });
  const element: HTMLElement = h(
    "div",
    { class: "rnx-gate" },
    h("p", { class: "rnx-ask" }, question),
    answer,
    h("p", { class: "rnx-actions" }, main, button(texts.justShow, andRead(skip), "quiet"), wanting),
  );
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.target as Element).matches("[type=number]") && !main.disabled) committed();
  });
  const ready = (yes: boolean) => void (main.disabled = !yes);
  const clear = () => {
    for (const input of element.querySelectorAll("input")) {
      if (input.type === "radio") input.checked = false;
      else input.value = "";
      input.dispatchEvent(new Event("input"));
    }
    ready(false);
  };
  element.addEventListener(CLEAR, clear);
  ready(false);
  return { element, ready, clear, hint: (what) => void (wanting.textContent = what) };
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

/** A gate that asks for a number between two. */
export function numberGate(
  texts: Texts,
  question: string,
  unit: string,
  bounds: Bounds,
  show: (answer: number | null) => void,
): Gate {
  const asked = guess(texts, texts.prediction, unit, bounds, () => frame.ready(asked.valid()));
  const frame = gate(texts, question, asked.element, () => show(asked.input.valueAsNumber), () => show(null));
  return frame;
}

interface Bounds {
  min: number;
  max: number;
  whole?: boolean;
}

/** A number to be typed; one that cannot be is told so. kind: what the number is about. */
export function guess(
  texts: Texts, label: string, unit: string, { min, max, whole }: Bounds, change: () => void, kind?: string,
): { element: HTMLElement; input: HTMLInputElement; valid(): boolean } {
  const fault = h("small", { class: "rnx-fault", role: "status" });
  const valid = () => input.value !== "" && input.checkValidity();
  const input: HTMLInputElement = h("input", {
    type: "number", min, max, step: whole ? 1 : "any", inputmode: whole ? "numeric" : "decimal", "data-guess": kind,
    oninput() {
      const wrong = !valid() && (input.value !== "" || input.validity.badInput);
      fault.textContent = wrong ? fill(whole ? texts.wholeBetween : texts.between, { min, max }) : "";
      change();
    },
  });
  const element = h("div", { class: "rnx-guess" },
    h("label", { class: "rnx-number" }, h("span", {}, label), input, unit ? h("span", {}, unit) : null), fault);
  return { element, input, valid };
}
