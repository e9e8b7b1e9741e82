// The list of nets: what each is, how it does, and what can be done with it.
import { h, uniqueId } from "../shared/dom.ts";
import { colourOf, dashOf } from "./curves.ts";
import { say } from "./dom.ts";
import type { Arm } from "./runs.ts";
import type { Texts } from "./texts/index.ts";
import {
  differences, duration, exploded, large, longName, loss, percent, readArm, span, whole,
} from "./words.ts";

export interface Actions {
  toggle(arm: Arm): void;
  clone(arm: Arm): void;
  rerun(arm: Arm): void;
  remove(arm: Arm): void;
  point(arm: Arm | undefined): void; // the pointer or the keyboard is on the net
}

type Column = "loss" | "train" | "test";
const COLUMNS: Column[] = ["loss", "train", "test"];

interface Row {
  arm: Arm;
  body: HTMLTableSectionElement;
  swatch: SVGElement;
  state: HTMLElement;
  cells: Record<Column, HTMLElement>;
  smalls: Record<Column, HTMLElement>; // below the numbers
  bar: HTMLElement;
  detail: HTMLElement;
  hide: HTMLButtonElement;
}

export class NetTable {
  readonly element: HTMLTableElement;
  readonly note: HTMLElement; // what the numbers are
  private readonly rows = new Map<Arm, Row>();
  private readonly moment: HTMLElement;

  constructor(
    private readonly texts: Texts,
    private readonly actions: Actions,
  ) {
    this.moment = h("span", { class: "moment" });
    // On a small phone "training" is parted, where that is the word.
    const heads = [texts.loss50, texts.trainError, texts.testError].map((name) => name.replace("training", "train\u00ading"));
    const id = uniqueId();
    this.note = h("p", { class: "hint", id });
    this.element = h(
      "table",
      { class: "nets", "aria-describedby": id },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, texts.nets, " ", this.moment),
          ...heads.map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
    );
  }

  draw(arms: Arm[], moment: number | undefined): void {
    say(this.moment, moment === undefined ? "" : this.texts.atMoment(whole(moment)));
    this.element.hidden = this.note.hidden = arms.length === 0;
    const several = arms.some(({ choice }) => choice.seeds > 1);
    say(this.note, this.texts.tableNote(moment !== undefined, several));
    for (const [arm, { body }] of this.rows) {
      if (arms.includes(arm)) continue;
      body.remove();
      this.rows.delete(arm);
    }
    const depths = arms.filter(({ hidden }) => !hidden).map(({ choice }) => choice.depth);
    for (const arm of arms) {
      if (!this.rows.has(arm)) this.rows.set(arm, this.row(arm));
      const name = longName(arm.choice);
      const alike = arms.some((other) => other !== arm && longName(other.choice) === name);
      this.update(this.rows.get(arm)!, depths, moment, alike);
    }
  }

  /** The name of the net below another, or above: where the focus goes when that one is removed. */
  beside(arm: Arm): HTMLElement | undefined {
    const { body } = this.rows.get(arm)!;
    const names = [body.nextElementSibling, body.previousElementSibling].map((other) =>
      other?.querySelector<HTMLElement>("button.name"),
    );
    return names.find(Boolean) ?? undefined;
  }

  private row(arm: Arm): Row {
    const { texts, actions } = this;
    const id = uniqueId();
    const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    swatch.setAttribute("class", "swatch");
    swatch.setAttribute("aria-hidden", "true");
    swatch.innerHTML = '<line x1="1" x2="25" y1="6" y2="6" stroke-width="2.6" />';
    const button = (text: string, act: (arm: Arm) => void, title?: string): HTMLButtonElement =>
      h("button", { type: "button", title, onclick: () => act(arm) }, text);
    const hide = button(texts.hide, actions.toggle);
    const detail = h("p", {});
    const tools = h(
      "tr",
      { id, hidden: true, class: "tools" },
      h(
        "td",
        { colspan: 4 },
        detail,
        hide,
        button(texts.clone, actions.clone, texts.cloneHelp),
        button(texts.rerun, actions.rerun),
        button(texts.remove, actions.remove),
      ),
    );
    const name = h("button", {
      ...{ type: "button", class: "name", "aria-expanded": "false", "aria-controls": id },
      onclick: () => {
        tools.hidden = !tools.hidden;
        name.setAttribute("aria-expanded", String(!tools.hidden));
      },
    });
    const differs = differences(arm.choice, texts);
    if (arm.choice.shortcut === "A") differs.unshift(texts.optionOf(arm.choice.shortcut));
    name.append(swatch, h("span", {}, longName(arm.choice)), h("span", { class: "number" }));
    const state = h("span", { class: "state" });
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    const cells = { loss: h("span"), train: h("span"), test: h("span") };
    const smalls = { loss: h("small"), train: h("small"), test: h("small") };
    const about = h("small", {}, differs.join(texts.comma));
    const body = h(
      "tbody",
      {
        onpointerenter: () => actions.point(arm),
        onpointerleave: () => actions.point(undefined),
        onfocusin: () => actions.point(arm),
        onfocusout: () => actions.point(undefined),
      },
      h(
        "tr",
        {},
        h("th", { scope: "row" }, name, h("div", { class: "about" }, about, " ", state), bar),
        ...COLUMNS.map((column) => h("td", {}, cells[column], smalls[column])),
      ),
      tools,
    );
    this.element.append(body);
    return { arm, body, swatch, state, cells, smalls, bar, detail, hide };
  }

  private update(row: Row, depths: number[], moment: number | undefined, numbered: boolean): void {
    const { texts } = this;
    const { arm } = row;
    const pen = row.swatch.firstElementChild!;
    pen.setAttribute("stroke", colourOf(arm.choice));
    pen.setAttribute("stroke-dasharray", dashOf(arm.choice.depth, [...depths, arm.choice.depth]));
    row.body.classList.toggle("dimmed", arm.hidden);
    say(row.body.querySelector(".number")!, numbered ? `${arm.number}` : "");
    say(row.hide, arm.hidden ? texts.unhide : texts.hide);
    const lost = arm.lost > 0 && arm.runs.length > 1 && texts.lost(arm.lost, arm.runs.length);
    const state = lost && arm.state === "diverged" ? "" : this.stateOf(arm);
    const words = [state, lost, exploded(arm) && texts.exploded, arm.hidden && texts.hidden];
    say(row.state, words.filter(Boolean).join(texts.comma));
    row.bar.style.setProperty("--done", String(arm.over ? 0 : arm.progress));
    const { mean, all } = readArm(arm, moment);
    const written = { loss, train: percent, test: percent };
    for (const column of COLUMNS) {
      say(row.cells[column], written[column](mean[column]));
      const values = all.map((each) => each[column]).filter((value) => value !== undefined);
      const notes = [values.length > 1 && span(values, written[column])];
      const tested = all.map((each) => each.tested).filter((at) => at !== undefined);
      if (column === "test" && tested.length > 0) notes.push(texts.testedAt(span(tested, whole)));
      say(row.smalls[column], notes.filter(Boolean).join(texts.comma));
    }
    const run = arm.begun[0];
    if (run) {
      const cost = texts.cost(large(run.parameters, texts), large(run.multiplyAdds, texts));
      const speed = (run.milliseconds / run.iteration).toFixed(1);
      const time = arm.runs.reduce((sum, each) => sum + each.milliseconds, 0) / 1000;
      const took = texts.took(cost, duration(time, texts), speed);
      say(row.detail, `${took}${run.message ? texts.space + run.message : ""}`);
    }
  }

  private stateOf({ state, choice, iteration, runs }: Arm): string {
    const { texts } = this;
    const steps = whole(choice.steps);
    if (state === "stopped") {
      const stopped = runs.filter((run) => run.state === state).map((run) => run.iteration);
      return texts.stoppedAt(span(stopped, whole), steps);
    }
    const working = ["running", "paused", "stopping"].includes(state);
    return working ? `${texts.at(whole(iteration), steps)}${texts.comma}${texts.states[state]}` : texts.states[state];
  }
}
