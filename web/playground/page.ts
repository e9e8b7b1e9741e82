// The Residual Playground: wires the controls, the nets, the charts and the address together.
import { h, uniqueId } from "../shared/dom.ts";
import { type Address, parse, type Shown, SIGNALS, write } from "./address.ts";
import { Chart, type Line, type View } from "./chart.ts";
import { type Choice, DEFAULT, encode, isPlain, nameOf } from "./choices.ts";
import { Controls } from "./controls.ts";
import { costOf } from "./cost.ts";
import { colourOf, dashOf, layerLine, recordedLine, testLine, trainingLine } from "./curves.ts";
import { say, Segments } from "./dom.ts";
import { saveCurves, saveImage, saveSignals } from "./downloads.ts";
import type { ImageFile } from "./images.ts";
import { LessonPanel } from "./lesson-panel.ts";
import { LESSONS, rescueLine } from "./lessons.ts";
import type { Signal } from "./messages.ts";
import { Arm, Crew } from "./runs.ts";
import { samples } from "./samples.ts";
import { NetTable } from "./table.ts";
import type { Texts } from "./texts/index.ts";
import {
  duration, EARLY, exploded, GUESSING, large, longName, loss, percent, readArm, whole,
} from "./words.ts";

const TABLE_EVERY = 120; // milliseconds; numbers that change faster cannot be read
const HIGHEST = 5; // loss that the axis reaches

export class Playground {
  readonly element: HTMLElement;
  private readonly controls: Controls;
  private readonly crew: Crew;
  private readonly table: NetTable;
  private readonly curves: Chart;
  private readonly layers: Chart;
  private arms: Arm[] = [];
  private latest: Arm[] = []; // of the last press of Train; older nets are drawn fainter
  private pointed: Arm | undefined;
  private born = 0;
  private chosenSince = false; // whether the reader has chosen something since the address was read
  private shown: Shown = "loss";
  private signal: Signal = "activationGradient";
  private moment: number | undefined;
  private answers: Record<string, string> = {};
  private panel: LessonPanel | undefined; // of the question that is open
  private scheduled = 0;
  private tableDrawn = 0;
  private wasBusy = false;
  private speed: number | undefined; // seconds a multiply-add of one image, from the last run

  // Parts that change.
  private readonly option = h("p", { class: "hint" });
  private readonly hint = h("p", { class: "hint" });
  private readonly status = h("p", { class: "status" });
  private readonly notice = h("p", { class: "notice", role: "status" });
  private readonly spoken = h("p", { class: "spoken", "aria-live": "polite" });
  private readonly main: HTMLButtonElement;
  private readonly stepper: HTMLButtonElement;
  private readonly stopper: HTMLButtonElement;
  private readonly resetter: HTMLButtonElement;
  private readonly caption = h("figcaption");
  private readonly layersPart: HTMLDetailsElement;
  private readonly layersNote = h("p", { class: "hint" });
  private readonly slider: HTMLInputElement;
  private before = new Map<Arm, boolean>(); // whether nets were hidden before a question
  private readonly sliderText: HTMLOutputElement;
  private readonly toLatest: HTMLButtonElement;
  private readonly goBack: HTMLButtonElement; // the same, above the chart
  private readonly shownSegments: Segments<Shown>;
  private readonly signalSegments: Segments<Signal>;
  private readonly downloads: HTMLElement;
  private readonly lessons: HTMLElement;
  private readonly above = h("div", {}); // the question, or the controls
  private readonly below = h("div", {}); // what came of the question: nothing above the chart moves it

  constructor(
    host: HTMLElement,
    private readonly images: ImageFile,
    private readonly texts: Texts,
    private readonly address: Address,
  ) {
    this.crew = new Crew(images, () => this.changed());
    this.controls = new Controls(texts, () => this.chose());
    this.table = new NetTable(texts, {
      toggle: (arm) => this.toggle(arm),
      clone: (arm) => this.clone(arm),
      rerun: (arm) => this.rerun(arm),
      remove: (arm) => {
        const next = this.table.beside(arm) ?? this.main;
        this.remove([arm]);
        next.focus();
      },
      point: (arm) => {
        this.pointed = arm;
        this.redraw();
      },
    });
    const button = (text: string, onclick: () => void, more = {}): HTMLButtonElement =>
      h("button", { type: "button", onclick, ...more }, text);
    this.main = button(texts.train, () => this.press(), { class: "main" });
    this.stepper = button(texts.step, () => this.step(), { title: texts.stepHelp });
    this.stopper = button(texts.stop, () => this.stop());
    this.resetter = button(texts.reset, () => this.reset(), { title: texts.resetHelp });
    this.shownSegments = new Segments<Shown>(
      texts.show,
      [["loss", texts.loss], ["error", texts.error]],
      (shown) => {
        this.shown = shown;
        this.changed();
      },
    );
    this.signalSegments = new Segments<Signal>(
      texts.show,
      SIGNALS.map((each) => [each, texts.signals[each]] as const),
      (signal) => {
        this.signal = signal;
        this.changed();
      },
    );
    const sliderId = uniqueId();
    this.slider = h("input", {
      ...{ type: "range", id: sliderId, min: 0, step: 1 },
      oninput: () => this.look(this.slider.valueAsNumber),
    });
    this.sliderText = h("output", { for: sliderId });
    const latest = (): void => {
      this.slider.focus(); // the button is of no use any more
      this.look(undefined);
    };
    this.toLatest = button(texts.toLatest, latest, { class: "small" });
    const forward = (): void => {
      this.look(undefined);
      this.main.focus();
    };
    this.goBack = button(texts.toLatest, forward, { class: "small", hidden: true });
    this.curves = new Chart(320);
    this.curves.host.tabIndex = -1; // who has pressed in it is heard by keys
    this.layers = new Chart(280);
    const image = (chart: Chart) =>
      button(texts.png, () => void this.saveImage(chart), { title: texts.pngHelp });
    this.downloads = h(
      "div",
      { class: "downloads" },
      address.link ? button(texts.share, () => void this.share()) : undefined,
      button(texts.csv, () => saveCurves(this.trained), { title: texts.csvHelp }),
      image(this.curves),
    );
    this.layersPart = h(
      "details",
      { class: "layers", ontoggle: () => this.changed() },
      h("summary", {}, texts.inside),
      this.signalSegments.element,
      this.layersNote,
      this.layers.host,
      h(
        "div",
        { class: "scrub" },
        h("label", { for: sliderId }, texts.moment, " ", this.sliderText),
        this.slider,
        this.toLatest,
      ),
      h("p", { class: "hint" }, texts.scrubHelp),
      h(
        "div",
        { class: "downloads" },
        button(texts.csv, () => saveSignals(this.trained), { title: texts.csvHelp }),
        image(this.layers),
      ),
    );
    this.controls.more.addEventListener("toggle", () => this.changed());
    this.lessons = h("ul");
    const lessonsPart = h(
      "details",
      { class: "lessons" },
      h("summary", {}, texts.lessons),
      h("p", { class: "hint" }, texts.lessonsIntro),
      this.lessons,
    );
    const { train, test, name } = images;
    this.element = h(
      "section",
      { class: "playground", lang: texts.tag, "aria-label": texts.name },
      samples(images, texts),
      this.above,
      h("div", { class: "buttons" }, this.main, this.stepper, this.stopper, this.resetter),
      this.hint,
      this.option,
      this.notice,
      h(
        "figure",
        {},
        h("div", { class: "above" }, this.shownSegments.element, this.goBack, this.status),
        this.curves.host,
        this.caption,
      ),
      this.below,
      this.table.element,
      this.table.note,
      this.downloads,
      lessonsPart,
      this.controls.more,
      this.layersPart,
      h("p", { class: "data" }, texts.data(name, whole(train.count), whole(test.count))),
      this.spoken,
    );
    host.append(this.element);
    this.curves.onpick = (at) => this.look(Math.round(at));
    // JupyterLab would take the arrow keys for itself.
    this.element.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Escape") return;
      if (this.goBack.matches(":focus")) this.main.focus(); // it goes
      this.look(undefined);
    });
    this.load();
    address.onchange = () => {
      this.load();
      if (this.panel) this.goToQuestion();
    };
  }

  /** Stop all workers: the page does not want the playground any more. */
  close(): void {
    this.crew.drop(this.arms.flatMap((arm) => arm.runs));
    cancelAnimationFrame(this.scheduled);
    this.element.remove();
  }

  // State

  /** What the controls, or the question, are set to. */
  private get chosen(): Choice[] {
    return this.panel?.chosen ?? this.controls.chosen;
  }

  /** What Train starts. */
  private get next(): Choice[] {
    const { pending } = this;
    return pending.length > 0 ? pending.map(({ choice }) => choice) : this.chosen;
  }

  /** Whether the question is open whose goal is a line, which only the chart of the loss has. */
  private get rescuing(): boolean {
    return this.panel?.lesson.kind === "rescue";
  }

  /** What the chart shows. */
  private get charted(): Shown {
    return this.rescuing ? "loss" : this.shown;
  }

  private get visible(): Arm[] {
    return this.arms.filter((arm) => !arm.hidden);
  }

  /** Whether there are nets to see, and all of them are hidden. */
  private get hides(): boolean {
    return !this.panel && this.trained.length > 0 && this.visible.length === 0;
  }

  private get trained(): Arm[] {
    return this.arms.filter((arm) => arm.iteration > 0);
  }

  private get working(): Arm[] {
    return this.arms.filter(({ state }) => state === "running" || state === "paused");
  }

  /** Nets that the address asks for, until the reader chooses others. */
  private get pending(): Arm[] {
    return this.chosenSince ? [] : this.visible.filter((arm) => arm.state === "new");
  }

  /** Take the state from the address; nets that are there already stay. */
  private load(): void {
    const { state, wrong } = parse(this.address.read());
    this.chosenSince = false;
    this.controls.take(state.choice ?? this.controls.choice, state.nets);
    this.answers = { ...this.answers, ...state.answers };
    this.open(state.lesson);
    if (state.lesson && !this.panel) wrong.push(`lesson=${state.lesson}`);
    for (const { choice, hidden } of state.runs) {
      const arm = this.find(choice) ?? this.add(choice);
      // One's own nets wait behind an open question.
      const waits = !this.isAsked(choice);
      if (waits) this.before.set(arm, hidden);
      arm.hidden = hidden || waits;
    }
    this.shown = state.shown;
    this.signal = state.signal;
    this.moment = state.moment;
    this.controls.more.open = state.open.includes("more");
    this.layersPart.open = state.open.includes("layers");
    this.tell(
      wrong.length > 0
        ? this.texts.badAddress(wrong.join(this.texts.comma))
        : this.pending.length > 0
          ? this.texts.pending(this.pending.length)
          : "",
    );
    this.changed();
  }

  /** All that the address keeps; empty where everything is as at the beginning. */
  private get state(): string {
    const { choice, nets, more } = this.controls;
    const open = [more.open ? "more" : "", this.layersPart.open ? "layers" : ""].filter(Boolean);
    return write({
      ...{ nets, open, shown: this.shown, signal: this.signal, moment: this.moment },
      choice: encode(choice) === encode(DEFAULT) ? undefined : choice,
      runs: this.arms.map((arm) => ({ choice: arm.choice, hidden: this.isHidden(arm) })),
      answers: this.answers,
      lesson: this.panel?.lesson.id,
    });
  }

  private save(): void {
    this.address.write(this.state);
  }

  /** Whether the reader hid a net, a question aside. */
  private isHidden(arm: Arm): boolean {
    return (this.isAsked(arm.choice) ? undefined : this.before.get(arm)) ?? arm.hidden;
  }

  /** Whether a net may be seen: all of them, or in a question its own once it is answered. */
  private isAsked(choice: Choice): boolean {
    return !this.panel || (this.panel.ready && this.panel.owns(choice));
  }

  private find(choice: Choice): Arm | undefined {
    const name = encode(choice);
    return this.arms.find((arm) => encode(arm.choice) === name);
  }

  private add(choice: Choice): Arm {
    const arm = new Arm(++this.born, { ...choice });
    this.arms.push(arm);
    return arm;
  }

  // What the reader does

  /** Open a question, or with none go back to free trials. */
  private open(id: string | undefined): void {
    const lesson = LESSONS.find((each) => each.id === id);
    if (lesson?.id === this.panel?.lesson.id && this.above.hasChildNodes()) return this.listLessons();
    const answer = lesson && this.answers[lesson.id];
    this.panel =
      lesson &&
      new LessonPanel(lesson, this.texts, answer, {
        changed: () => this.chose(),
        leave: () => this.leave(),
        again: () => this.askAgain(lesson.id),
        next: (id) => this.begin(id),
      });
    // Those of an earlier question were hidden by it, and not by the reader.
    if (lesson) for (const arm of this.arms) if (!this.before.has(arm)) this.before.set(arm, arm.hidden);
    this.above.replaceChildren(this.panel?.element ?? this.controls.element);
    this.below.replaceChildren(...(this.panel ? [this.panel.results] : []));
    this.controls.more.hidden = this.panel !== undefined;
    this.moment = undefined;
    this.tell("");
    if (this.panel) {
      // Only the question's own nets, so that nothing gives the answer away or stands in the way.
      for (const arm of this.arms) arm.hidden = !this.isAsked(arm.choice);
    } else {
      for (const [arm, hidden] of this.before) arm.hidden = hidden;
      this.before.clear();
      this.chosenSince = false;
    }
    this.listLessons();
    this.changed();
  }

  private askAgain(id: string): void {
    delete this.answers[id];
    this.panel = undefined;
    this.begin(id);
  }

  private leave(): void {
    this.open(undefined);
    this.controls.element.querySelector("input")!.focus();
  }

  private listLessons(): void {
    const { texts } = this;
    const items = LESSONS.map(({ id }) => {
      const { title } = texts.questions[id as keyof typeof texts.questions];
      const open = h("button", { type: "button", class: "link", onclick: () => this.begin(id) }, title);
      if (id === this.panel?.lesson.id) open.setAttribute("aria-current", "true");
      const mark = id in this.answers ? h("small", {}, ` ${texts.answered}`) : undefined;
      return h("li", {}, open, mark);
    });
    this.lessons.replaceChildren(...items);
  }

  private begin(id: string): void {
    this.open(id);
    this.goToQuestion();
  }

  private goToQuestion(): void {
    this.element.scrollIntoView({ block: "start" });
    const title = this.panel?.element.querySelector<HTMLElement>("h3");
    title?.setAttribute("tabindex", "-1");
    title?.focus();
  }

  /** Train, or pause, or go on. */
  private press(): void {
    if (!this.crew.busy) this.start(false);
    else if (this.crew.paused) {
      this.crew.resume();
      this.speak(this.texts.started(this.texts.and(this.working.map(({ choice }) => longName(choice)))));
    } else this.crew.pause();
    this.changed();
  }

  private step(): void {
    if (!this.crew.busy) this.start(true);
    else if (!this.crew.paused) this.crew.pause();
    this.crew.step();
    this.changed();
  }

  private stop(): void {
    this.crew.stop();
    if (this.crew.stopping) this.speak(this.texts.stopping);
  }

  private start(paused: boolean): void {
    if (this.panel && !this.panel.ready) return;
    const { pending } = this;
    const wanted = pending.length > 0 ? pending : this.fresh(this.chosen);
    if (wanted.length === 0) return;
    this.tell("");
    // Nets that the address asks for are looked at where it says.
    if (pending.length === 0) this.moment = undefined;
    else this.latest = pending;
    this.crew.paused = paused;
    this.crew.add(wanted);
    this.speak(this.texts.started(this.texts.and(wanted.map(({ choice }) => longName(choice)))));
  }

  /** Nets of these choices that have not come to their end; those that have come to the front. */
  private fresh(choices: Choice[]): Arm[] {
    const arms = choices.map((choice) => this.find(choice) ?? this.add(choice));
    for (const arm of arms) arm.hidden = false;
    this.latest = arms;
    const fresh = arms.filter((arm) => arm.iteration === 0 || arm.unfinished);
    for (const arm of fresh) if (arm.over) arm.retry(); // the same numbers again, and then the rest
    if (fresh.length === 0) {
      this.tell(this.texts.there(this.texts.and(arms.map(({ choice }) => longName(choice))), arms.length));
    }
    return fresh;
  }

  private toggle(arm: Arm): void {
    arm.hidden = !arm.hidden;
    this.look(this.moment);
  }

  private clone(arm: Arm): void {
    if (this.panel) this.open(undefined); // a question's controls are not these
    this.controls.take(arm.choice);
    this.controls.more.open = true;
    this.chose();
    this.main.focus();
  }

  private rerun(arm: Arm): void {
    this.crew.drop(arm.runs);
    arm.renew();
    this.latest = [arm];
    this.moment = undefined;
    this.crew.add([arm]);
    this.changed();
  }

  private remove(arms: Arm[]): void {
    this.crew.drop(arms.flatMap((arm) => arm.runs));
    this.arms = this.arms.filter((arm) => !arms.includes(arm));
    this.latest = this.latest.filter((arm) => !arms.includes(arm));
    this.pointed = undefined;
    this.wasBusy = this.crew.busy; // who removes what still trains wants no result
    this.look(this.moment);
  }

  private reset(): void {
    this.save();
    const before = this.address.read();
    const { born } = this;
    const ended = this.arms.filter((arm) => arm.ended);
    this.remove(this.arms);
    this.born = 0;
    this.moment = undefined;
    this.shown = "loss";
    this.signal = "activationGradient";
    this.answers = {};
    this.open(undefined);
    this.controls.take(DEFAULT, "twins");
    this.controls.more.open = this.layersPart.open = false;
    const undo = () => {
      this.arms = ended.filter(({ choice }) => !this.find(choice)).concat(this.arms);
      this.born = Math.max(this.born, born);
      this.address.write(before);
      this.load();
      if (this.panel && !this.panel.ready) this.goToQuestion();
      else this.toMain();
    };
    this.notice.replaceChildren(
      this.texts.wasReset, h("button", { type: "button", class: "link", onclick: undo }, this.texts.undo),
    );
    this.changed();
    this.toMain();
  }

  /** Put the focus on Train, which may just have become one that can be pressed. */
  private toMain(): void {
    this.drawButtons(); // a disabled button takes no focus
    this.main.focus();
  }

  private chose(): void {
    this.tell("");
    this.chosenSince = true;
    const { panel } = this;
    if (panel?.answer !== undefined && this.answers[panel.lesson.id] !== panel.answer) {
      this.answers[panel.lesson.id] = panel.answer;
      for (const arm of this.arms) arm.hidden = !panel.owns(arm.choice);
      this.listLessons();
      this.toMain();
    }
    this.changed();
  }

  /** Look back to an iteration, or at the latest. */
  private look(iteration: number | undefined): void {
    const past = iteration !== undefined && this.trained.length > 0 && iteration < this.longest;
    this.moment = past ? Math.max(1, iteration) : undefined;
    this.changed();
  }

  private get longest(): number {
    return Math.max(1, ...this.visible.map((arm) => arm.iteration));
  }

  private async share(): Promise<void> {
    this.save();
    try {
      await navigator.clipboard.writeText(this.address.link!());
      this.tell(this.texts.shared);
    } catch {
      this.tell(this.texts.notShared);
    }
  }

  private async saveImage(chart: Chart): Promise<void> {
    try {
      await saveImage(chart.element, this.title());
    } catch {
      this.tell(this.texts.noImage);
    }
  }

  private tell(sentence: string): void {
    say(this.notice, sentence);
  }

  private speak(sentence: string): void {
    say(this.spoken, sentence);
  }

  // Drawing

  private changed(): void {
    if (this.wasBusy && !this.crew.busy) this.finished();
    this.wasBusy = this.crew.busy;
    this.redraw();
  }

  /** Say how it ended, to all readers. */
  private finished(): void {
    const outcomes = (arms: Arm[]): string => arms.map((arm) => this.outcome(arm)).join(this.texts.space);
    const bad = this.latest.filter((arm) => ["diverged", "failed"].includes(arm.state) || exploded(arm));
    this.speak(outcomes(this.latest.filter((arm) => !bad.includes(arm)))); // the notice speaks for itself
    if (bad.length > 0) this.tell(outcomes(bad));
    const run = this.latest.flatMap((arm) => arm.runs).findLast(({ iteration }) => iteration > 20);
    if (run) {
      const work = run.iteration * run.choice.batchSize * run.multiplyAdds;
      this.speed = run.milliseconds / 1000 / work;
    }
  }

  private outcome(arm: Arm): string {
    const { texts } = this;
    const name = longName(arm.choice);
    const failed = arm.runs.find(({ state }) => state === "failed");
    if (failed) return texts.failed(name, failed.message || texts.noWorker);
    if (arm.diverged) return texts.divergedAt(name, arm.iteration);
    if (arm.iteration === 0) return texts.notBegun(name);
    const { mean } = readArm(arm);
    const some = arm.lost > 0 ? texts.variant(name, texts.lost(arm.lost, arm.runs.length)) : name;
    if (exploded(arm)) return texts.explodedTo(some, loss(mean.loss));
    return texts.result(some, loss(mean.loss), percent(mean.train), percent(mean.test));
  }

  /** Draw when the browser is next ready to; never more often. */
  private redraw(): void {
    this.scheduled ||= requestAnimationFrame((now) => {
      this.scheduled = 0;
      this.draw(now);
    });
  }

  private draw(now: number): void {
    const { busy, paused, stopping } = this.crew;
    this.drawCurves();
    if (this.layersPart.open) this.drawLayers();
    this.drawButtons();
    if (!busy || paused || stopping || now - this.tableDrawn > TABLE_EVERY) {
      this.tableDrawn = now;
      const { panel } = this;
      const listed = panel ? this.arms.filter(({ choice }) => panel.owns(choice)) : this.arms;
      this.table.draw(panel && !panel.ready ? [] : listed, this.moment);
      panel?.draw(listed);
      this.drawStatus();
      this.save();
    }
  }

  private drawButtons(): void {
    const { texts, crew } = this;
    const label = !crew.busy ? texts.train : crew.paused ? texts.resume : texts.pause;
    say(this.main, label);
    const asked = this.panel !== undefined && !this.panel.ready;
    this.main.disabled = this.stepper.disabled = asked || crew.stopping;
    // A disabled button would lose the focus; it goes on to Train when that can be pressed again.
    const over = this.stopper.matches(":focus") && !crew.busy;
    this.stopper.setAttribute("aria-disabled", String(crew.stopping));
    this.stopper.disabled = !crew.busy;
    if (over) this.main.focus();
    this.resetter.disabled = this.state === "";
    this.downloads.hidden = this.trained.length === 0;
    this.shownSegments.value = this.charted;
    this.shownSegments.element.hidden = this.rescuing;
    this.signalSegments.value = this.signal;
    this.goBack.hidden = this.moment === undefined || this.trained.length === 0;
  }

  private drawStatus(): void {
    const { texts, crew } = this;
    const { working } = this;
    if (working.length > 0) {
      const slowest = working.reduce((one, other) => (one.iteration <= other.iteration ? one : other));
      const at = texts.at(whole(slowest.iteration), whole(slowest.choice.steps));
      const left = crew.secondsLeft();
      if (crew.paused) this.speak(texts.pausedAt(at)); // of each step, too
      say(
        this.status,
        crew.paused
          ? texts.pausedAt(at)
          : left === undefined ? at : `${at}${texts.comma}${texts.left(duration(left, texts))}`,
      );
    } else say(this.status, crew.stopping ? texts.stopping : "");
    const { next } = this;
    const { size, channels } = this.images.train;
    const costs = next.map((choice) => costOf(choice, size, channels));
    const words = costs.map((cost) =>
      texts.cost(large(cost.parameters, texts), large(cost.multiplyAdds, texts)),
    );
    const names = next.map(longName);
    const costing = (word: string): string[] => names.filter((_, i) => words[i] === word);
    const parts = [...new Set(words)].map((word) => texts.net(texts.and([...new Set(costing(word))]), word));
    if (this.speed !== undefined) {
      const works = next.map(
        ({ steps, batchSize, seeds }, i) => steps * batchSize * seeds * costs[i].multiplyAdds,
      );
      const runs = next.reduce((sum, { seeds }) => sum + seeds, 0);
      const all = works.reduce((sum, work) => sum + work, 0);
      const seconds = (this.speed * all) / Math.min(this.crew.size, runs);
      if (working.length === 0 && !crew.stopping) say(this.status, texts.estimate(duration(seconds, texts)));
    }
    const now = new Set(this.latest.map(({ choice }) => encode(choice)));
    const later = working.length > 0 && next.some((choice) => !now.has(encode(choice)));
    say(this.hint, (later ? texts.nextTime : "") + parts.join(texts.semicolon));
    const option = this.chosen.find((choice) => !isPlain(choice))?.shortcut;
    say(this.option, option && option !== "none" && !this.panel ? texts.options[option] : "");
  }

  /** How a net is drawn; without a label where it has a second line. */
  private style(arm: Arm, label: boolean): Pick<Line, "label" | "colour" | "dash" | "faded"> {
    const { visible } = this;
    const depths = visible.map(({ choice }) => choice.depth);
    const old = this.latest.length > 0 && !this.latest.includes(arm);
    const name = longName(arm.choice);
    const end = arm.diverged ? "×" : exploded(arm) && "↑";
    const alike = visible.some((other) => other !== arm && longName(other.choice) === name);
    return {
      label: label ? [name, alike && `· ${arm.number}`, end].filter(Boolean).join(" ") : "",
      colour: colourOf(arm.choice),
      dash: dashOf(arm.choice.depth, depths),
      faded: this.pointed ? this.pointed !== arm && !this.pointed.hidden : old,
    };
  }

  private drawCurves(): void {
    const { texts, charted: shown } = this;
    const begun = this.visible.filter(({ iteration }) => iteration > 0);
    const lines = begun
      .flatMap((arm) =>
        shown === "loss"
          ? [trainingLine(arm, "losses", this.style(arm, true))]
          : [trainingLine(arm, "errors", this.style(arm, false)), testLine(arm, this.style(arm, true))],
      )
      .filter(({ points }) => points.length > 0);
    const choices = begun.length > 0 ? begun.map(({ choice }) => choice) : this.next;
    const longest = Math.max(...choices.map(({ steps }) => steps));
    // Beside a net that diverged, what such a net does with the usual choices.
    const lost = shown === "loss" ? begun.filter(({ diverged }) => diverged) : [];
    for (const arm of lost) {
      const { depth, line } = recordedLine(arm, longest);
      lines.push({ ...line, label: `${nameOf({ ...arm.choice, depth })}*` });
    }
    // A loss may start far above guessing; what matters happens below, so it enters from above.
    const settled = lines.flatMap(({ points }) => points.filter(([at]) => at > EARLY).map(([, y]) => y));
    const highest = Math.max(2.5, Math.ceil(2 * Math.max(0, ...settled)) / 2);
    const view: View = {
      ...{ lines, x: [0, longest], y: [0, shown === "loss" ? Math.min(highest, HIGHEST) : 100] },
      ...{ xLabel: texts.iterations, yLabel: shown === "loss" ? texts.lossAxis : texts.errorAxis },
      ...{ cursor: this.moment, alt: this.alt(), levels: this.levels() },
      empty: this.panel && !this.panel.ready ? texts.predictFirst : this.hides ? texts.allHidden : texts.empty,
    };
    this.curves.draw(view);
    const several = this.visible.some(({ choice }) => choice.seeds > 1);
    const single = lines.length === 0 || lines.some(({ raw }) => raw);
    const note = shown === "loss" ? texts.lossNote(single) : texts.errorNote;
    const notes = [note, several ? texts.seedsNote : "", lost.length > 0 ? texts.recordedNote : ""];
    say(this.caption, notes.filter(Boolean).join(texts.space));
  }

  /** What guessing gives; and where plain-56 has to come to, once the reader has predicted. */
  private levels(): View["levels"] {
    const { texts, panel } = this;
    const guess = GUESSING[this.charted];
    const guessing = { value: guess, label: texts.guessing, colour: "var(--playground-muted)" };
    const goal = this.rescuing && panel?.ready ? rescueLine() : undefined;
    if (goal === undefined) return [guessing];
    const { value, seeds } = goal;
    return [guessing, { value, label: texts.residualLine(seeds), colour: "var(--playground-A)" }];
  }

  private alt(): string {
    const { texts } = this;
    const values = this.crew.busy ? [] : this.visible.filter(({ iteration }) => iteration > 0);
    const lines = values.map((arm) => {
      const { mean } = readArm(arm);
      const value = this.charted === "loss" ? loss(mean.loss) : percent(mean.test);
      return value ? texts.lineAlt(longName(arm.choice), value) : this.outcome(arm);
    });
    return texts.chartAlt(this.charted === "loss" ? texts.loss50 : texts.error, lines.join(texts.space));
  }

  private drawLayers(): void {
    const { texts, signal } = this;
    const at = this.moment ?? Infinity;
    const arms = this.visible.filter((arm) => arm.begun.some((run) => run.signals.length > 0));
    const all = arms.map((arm) => layerLine(arm, signal, at, this.style(arm, true)));
    const lines = all.filter(({ points }) => points.length > 0);
    const empty = arms.length > 0 ? texts.nothing : texts.layersEmpty;
    this.layers.draw({
      ...{ lines, x: [0, 1], y: this.range(arms, signal), log: true },
      ...{ xLabel: texts.layerAxis, yLabel: texts.signalAxes[signal], empty },
      alt: texts.chartAlt(texts.signalAxes[signal], ""),
    });
    const lost = lines.length < all.length ? ` ${texts.layersLost}` : "";
    say(this.layersNote, texts.signalNotes[signal] + lost);
    const longest = this.longest;
    this.slider.max = String(longest);
    this.slider.min = "1";
    this.slider.value = String(this.moment ?? longest);
    this.slider.disabled = this.trained.length === 0;
    const moment = this.moment === undefined ? texts.live : whole(this.moment);
    say(this.sliderText, moment);
    this.slider.setAttribute("aria-valuetext", moment);
    this.toLatest.hidden = this.moment === undefined;
  }

  /** Whole powers of ten around all that was recorded, so that the axis does not jump in time. */
  private range(arms: Arm[], signal: Signal): [number, number] {
    let [low, high] = [Infinity, 0];
    for (const run of arms.flatMap((arm) => arm.begun)) {
      for (const each of run.signals) {
        for (const value of each[signal]) {
          if (!(value > 0) || !Number.isFinite(value)) continue;
          low = Math.min(low, value);
          high = Math.max(high, value);
        }
      }
    }
    if (high === 0) return [0.01, 1];
    const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    return [10 ** Math.max(first, last - 12), 10 ** Math.max(last, first + 1)];
  }

  private title(): string {
    const names = this.visible.filter(({ iteration }) => iteration > 0).map(({ choice }) => longName(choice));
    return `${this.texts.and(names)}`;
  }
}
