// A question above the chart: it asks, keeps the reader's prediction, and sets what came out here
// beside what was measured.
import { h, uniqueId } from "../shared/dom.ts";
import type { Choice } from "./choices.ts";
import { say } from "./dom.ts";
import {
  answersOf, decide, KNOBS, type Lesson, LESSONS, mean, type Measured, measuredOf, RESCUE, rescueLine, TRIES,
} from "./lessons.ts";
import type { Arm } from "./runs.ts";
import type { Texts } from "./texts/index.ts";
import { differences, longName, loss, percent, plain, readArm } from "./words.ts";

type Knob = keyof typeof KNOBS;

/** Names that tell nets apart: their own, and what not all of them have. */
export function tellApart(choices: Choice[], texts: Texts): string[] {
  const all = choices.map((choice) => differences(choice, texts));
  const names = choices.map(longName);
  return all.map((own, i) => {
    const special = own.filter((each) => !all.every((others) => others.includes(each)));
    return special.length > 0 ? texts.variant(names[i], special.join(texts.comma)) : names[i];
  });
}

/** An answer in words. */
export function answerText(lesson: Lesson, key: string, texts: Texts): string {
  const { answers } = texts;
  if (lesson.kind === "gap") return answers.gap[key as keyof typeof answers.gap];
  if (lesson.kind === "rescue") return answers.rescue(Number(key), TRIES);
  const names = tellApart(lesson.arms, texts);
  if (lesson.kind === "lowest") return key === "none" ? answers.none : names[Number(key)];
  const learning = names.filter((_, i) => key[i] === "+");
  if (learning.length === 0) return answers.noneLearns;
  if (learning.length === names.length) return answers.allLearn(names.length);
  const others = names.filter((each) => !learning.includes(each));
  return answers.someLearn(texts.and(learning), texts.and(others), others.length);
}

export class LessonPanel {
  readonly element: HTMLElement;
  answer: string | undefined;
  private readonly form: HTMLFieldSetElement;
  private readonly commit: HTMLButtonElement;
  private readonly said = h("p", { class: "said" });
  /** What came of it, to be put below the chart. */
  readonly results = h("div", { class: "results", "aria-live": "polite" });
  private readonly knobs: { [Name in Knob]?: HTMLSelectElement } = {};
  private shortcuts: HTMLInputElement | undefined;
  private readonly tried = h("p", { class: "hint" });
  private resultsShown = "";

  constructor(
    readonly lesson: Lesson,
    private readonly texts: Texts,
    answer: string | undefined,
    private readonly on: { changed(): void; leave(): void; again(): void; next(id: string): void },
  ) {
    const name = uniqueId();
    const keys = answersOf(lesson);
    this.answer = keys.includes(answer ?? "") ? answer : undefined;
    const words = texts.questions[lesson.id as keyof typeof texts.questions];
    // Nets that learn are ticked, any number of them; of other answers one is chosen.
    const ticks = lesson.kind === "learns";
    const choices = ticks ? tellApart(lesson.arms, texts) : keys;
    const inputs = choices.map((value) =>
      h("input", {
        ...{ type: ticks ? "checkbox" : "radio", name, value },
        onchange: () => (this.commit.disabled = false),
      }),
    );
    const chosen = (): string =>
      ticks
        ? inputs.map(({ checked }) => (checked ? "+" : "-")).join("")
        : inputs.find(({ checked }) => checked)!.value;
    this.commit = h("button", {
      ...{ type: "button", disabled: !ticks },
      onclick: () => {
        this.answer = chosen();
        this.show();
        on.changed();
      },
    }, texts.commit);
    this.form = h(
      "fieldset",
      { class: "answers" },
      h("legend", {}, ticks ? texts.predictTicks : texts.predict),
      h(
        "div",
        { class: lesson.kind === "rescue" ? "few" : "" },
        ...choices.map((value, i) => {
          const said = ticks || lesson.kind === "rescue" ? value : answerText(lesson, value, texts);
          return h("label", {}, inputs[i], " ", said);
        }),
      ),
      this.commit,
    );
    this.element = h(
      "section",
      { class: "lesson", "aria-labelledby": `${name}-title` },
      h(
        "header",
        {},
        h("h3", { id: `${name}-title` }, words.title),
        h("button", { type: "button", class: "small", onclick: () => on.leave() }, texts.leave),
      ),
      h("p", {}, words.question),
      this.form,
      this.said,
      lesson.kind === "rescue" ? this.rescue() : undefined,
    );
    this.show();
  }

  private show(): void {
    const { answer, lesson, texts } = this;
    this.form.hidden = answer !== undefined;
    const again = h("button", { type: "button", class: "link", onclick: () => this.on.again() }, texts.again);
    this.said.replaceChildren(
      ...(answer === undefined ? [] : [texts.committed(answerText(lesson, answer, texts)), texts.space, again]),
    );
    const knobs = this.element?.querySelector<HTMLElement>(".knobs");
    if (knobs) knobs.hidden = answer === undefined;
  }

  private rescue(): HTMLElement {
    const { texts } = this;
    const words = {
      learningRate: (value: number | string) => plain(Number(value)),
      warmup: (value: number | string) => String(value),
      init: (value: number | string) => texts.inits[value as "he"],
      steps: (value: number | string) => plain(Number(value)),
    };
    const fields = (Object.keys(KNOBS) as Knob[]).map((name) => {
      const id = uniqueId();
      const options = KNOBS[name].map((value) => h("option", { value }, words[name](value)));
      const list = (this.knobs[name] = h("select", { id, onchange: () => this.on.changed() }, ...options));
      list.value = String(RESCUE[name]);
      const label = name === "init" ? texts.init : texts.numbers[name];
      return h("div", { class: "field" }, h("label", { for: id }, label), list);
    });
    const box = h("input", { type: "checkbox", disabled: true, onchange: () => this.on.changed() });
    this.shortcuts = box;
    return h(
      "div",
      { class: "knobs", hidden: this.answer === undefined },
      h("div", { class: "grid" }, ...fields, h("label", { class: "check" }, box, " ", texts.theSwitch)),
      this.tried,
    );
  }

  /** Whether a net is one of the question's. */
  owns(choice: Choice): boolean {
    if (this.lesson.arms.some((arm) => same(arm, choice))) return true;
    const tried = { ...choice, ...changes(RESCUE) };
    return this.lesson.kind === "rescue" && same(tried, RESCUE);
  }

  /** What Train starts now. */
  get chosen(): Choice[] {
    if (this.lesson.kind !== "rescue") return this.lesson.arms;
    const { learningRate, warmup, init, steps } = this.knobs as Record<Knob, HTMLSelectElement>;
    if (this.shortcuts!.checked) return [{ ...RESCUE, shortcut: "A" }];
    const tuned = { learningRate: Number(learningRate.value), warmup: Number(warmup.value) };
    return [{ ...RESCUE, ...tuned, init: init.value as Choice["init"], steps: Number(steps.value) }];
  }

  /** Whether the reader may train. */
  get ready(): boolean {
    return this.answer !== undefined;
  }

  /** Say how it stands; `arms` are the question's nets that are there. */
  draw(arms: Arm[]): void {
    if (this.lesson.kind === "rescue") this.drawRescue(arms);
    else this.drawResults(arms);
  }

  private drawResults(arms: Arm[]): void {
    const { lesson, texts } = this;
    const own = lesson.arms.map((choice) => arms.find((arm) => same(arm.choice, choice)));
    const over = this.answer !== undefined && own.every((arm) => arm?.ended);
    const unfinished = this.answer !== undefined && own.some((arm) => arm?.unfinished);
    const sign = over ? own.map((arm) => arm!.number).join() : unfinished ? "unfinished" : "";
    if (sign === this.resultsShown) return;
    this.resultsShown = sign;
    if (!over) {
      this.results.replaceChildren(...(unfinished ? [h("p", {}, texts.unfinished)] : []));
      return;
    }
    const measured = lesson.arms.map(measuredOf);
    const answer = decide(lesson);
    const seeds = Math.max(0, ...measured.map((each) => each?.loss.length ?? 0));
    const judged = answer === this.answer ? texts.right : texts.wrong;
    const names = tellApart(lesson.arms, texts);
    const by = lesson.kind === "learns" ? "train" : "loss";
    const write = by === "train" ? percent : loss;
    const rows = names.map((name, i) => {
      const now = readArm(own[i]!).mean[by];
      const here = own[i]!.state === "diverged" ? texts.states.diverged : write(now);
      return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, here), h("td", {}, spread(measured[i], by, texts)));
    });
    const words = texts.questions[lesson.id as keyof typeof texts.questions];
    this.results.replaceChildren(
      ...(answer === undefined
        ? []
        : [h("p", { class: "finding" }, texts.weFound(answerText(lesson, answer, texts), seeds), " ", h("strong", {}, judged))]),
      h(
        "table",
        { class: "nets" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, by === "train" ? texts.trainError : texts.loss50), h("th", { scope: "col" }, texts.cameOut), h("th", { scope: "col" }, texts.measured(seeds)))),
        h("tbody", {}, ...rows),
      ),
      h("p", {}, words.after),
      ...this.next(),
    );
  }

  /** A button to the next question; after the last none. */
  private next(): HTMLElement[] {
    const { lesson, texts } = this;
    const next = LESSONS[LESSONS.indexOf(lesson) + 1];
    if (!next) return [];
    const { title } = texts.questions[next.id as keyof typeof texts.questions];
    return [h("p", {}, h("button", { type: "button", onclick: () => this.on.next(next.id) }, texts.nextQuestion(title)))];
  }

  private drawRescue(arms: Arm[]): void {
    const { texts } = this;
    const line = rescueLine()?.value;
    // The first five that one of the four fields makes another net.
    const tries = arms.filter(({ ended, choice }) => ended && isTry(choice));
    const finished = tries.sort((one, other) => one.number - other.number).slice(0, TRIES);
    const reached = finished.filter((arm) => line !== undefined && (readArm(arm).mean.loss ?? Infinity) <= line);
    const open = finished.length >= TRIES;
    this.shortcuts!.disabled = !open;
    const { learningRate, warmup, init, steps } = this.knobs as Record<Knob, HTMLSelectElement>;
    for (const list of [learningRate, warmup, init, steps]) list.disabled = open && this.shortcuts!.checked;
    say(this.tried, texts.triesSoFar(finished.length, TRIES, reached.length));
    const twin = arms.find(({ choice }) => choice.shortcut !== "none");
    const sign = open ? `${finished.length} ${reached.length} ${twin?.state}` : "";
    if (sign === this.resultsShown) return;
    this.resultsShown = sign;
    if (!open) {
      this.results.replaceChildren();
      return;
    }
    const judged = String(Math.min(reached.length, TRIES)) === this.answer ? texts.right : texts.wrong;
    const recorded = this.lesson.arms
      .filter(({ shortcut }) => shortcut === "none")
      .map((choice) => measuredOf(choice))
      .filter((each) => each !== undefined);
    const ours = recorded.filter((each) => line !== undefined && mean(each.loss) <= line).length;
    const words = texts.questions["rescue-plain-56"];
    this.results.replaceChildren(
      h("p", { class: "finding" }, h("strong", {}, judged), " ", texts.reachedHere(reached.length, finished.length)),
      h("p", {}, texts.reachedMeasured(ours, recorded.length)),
      h("p", {}, twin?.ended ? words.after : texts.unlock),
      ...this.next(),
    );
  }
}

/** Whether a net is one that a try can make of plain-56. */
function isTry(choice: Choice): boolean {
  const names = Object.keys(KNOBS) as Knob[];
  const offered = names.every((name) => (KNOBS[name] as readonly unknown[]).includes(choice[name]));
  return offered && choice.shortcut === "none" && !same(choice, RESCUE);
}

/** What a try may change, as it is in another choice. */
function changes(choice: Choice): Partial<Choice> {
  const names = Object.keys(KNOBS) as Knob[];
  return Object.fromEntries(names.map((name) => [name, choice[name]]));
}

function same(one: Choice, other: Choice): boolean {
  return (Object.keys(one) as (keyof Choice)[]).every((name) => one[name] === other[name]);
}

/** Mean, and from lowest to highest. */
function spread(measured: Measured | undefined, by: "loss" | "train", texts: Texts): string {
  if (!measured) return "";
  const write = by === "train" ? percent : loss;
  const values = measured[by].filter(Number.isFinite);
  const lost = measured[by].length - values.length;
  const parts: string[] = [];
  if (values.length > 0) {
    parts.push(texts.range(write(mean(values)), write(Math.min(...values)), write(Math.max(...values))));
  }
  if (lost > 0) parts.push(texts.lost(lost, measured[by].length));
  return parts.join(texts.semicolon);
}
