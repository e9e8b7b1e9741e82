// Recorded training runs: what depth does to a plain net, and to a residual one.
// Four questions with a prediction each, then the whole archive by hand.
import { goOn, readoutOf } from "../shared/attention.ts";
import { button, choice, select, toggle } from "../shared/controls.ts";
import { Chart, type Line, type Point, type Rule, type Sketch } from "../shared/chart.ts";
import { h } from "../shared/dom.ts";
import { colourOf, dashOf, netName as nameOf, netTable } from "../shared/nets.ts";
import type { Explorer, Parts, Place } from "../shared/explorer.ts";
import { rounded } from "../shared/rounding.ts";
import { choiceGate, gate, type Gate } from "../shared/predict.ts";
import type { Row } from "../shared/table.ts";
import { fill, listed, number } from "../shared/words.ts";
import { agreed, Archive, gaps, mean, type Data, type Group, type Net, type Schedule, type Split } from "./runs/archive.ts";

interface State {
  [key: string]: string | number | boolean;
  step: string;
  shown: string;
  schedule: string;
  nets: string;
  split: string;
  seeds: string;
  scale: string;
  paper: boolean;
  at: number;
}

const STEPS = ["plain", "overfitting", "steps", "residual", "free"] as const;
const PAIRS: Record<string, [string, string]> = {
  plain: ["plain20", "plain56"],
  overfitting: ["plain20", "plain56"],
  steps: ["plain20", "plain56"],
  residual: ["resnet20", "resnet56"],
};
function build({ root, data, view, t, texts, language }: Place<Data, State, Words>): Parts {
  const archive = new Archive(data);
  const { nets, guided, shorter } = archive;
  const num = (value: number, decimals = 1) => number(value, decimals, language);
  const chart = new Chart((at, passing) => view.set({ at }, passing));
  const lines: Record<string, (number | null)[] | undefined> = {}; // what the reader drew, by step
  const answers: Record<string, string | null> = {};

  const netName = (net: Net) => nameOf(net, texts);

  let scheduled = false; // whether the reader has chosen a schedule

  /** What changes on the way to a step. The second and third show the first's answer; what is explored
   * freely begins with the schedule of the questions. */
  function going(step: string): Partial<State> {
    const shown = new Set(view.state.shown.split(",").filter(Boolean));
    if (step === "overfitting" || step === "steps") shown.add("plain");
    const begins = step === "free" && view.state.step !== "free" && guided && !scheduled;
    return { step, at: -1, shown: [...shown].join(","), ...(begins ? { schedule: guided.id } : {}) };
  }

  // The parts, from top to bottom.
  const steps = STEPS.map((step, i) => {
    const name = `${step === "free" ? "" : `${i + 1} `}${t.steps[step]}`;
    return button(name, () => view.set(going(step)));
  });
  const nav = h("ol", { class: "rnx-steps", "aria-label": t.stepsLabel }, ...steps.map((each) => h("li", {}, each)));
  const above = h("div", {});
  const { element: readout } = readoutOf(chart.element);
  const below = h("div", { class: "rnx-verdict" });
  const missing = h("p", { class: "rnx-note" });

  // The free explorer's controls.
  const scheduleName = (each: Schedule) =>
    fill(t.schedule, { iterations: num(each.iterations, 0), data: t.data[each.data as "cifar10"] ?? each.data, tier: each.tier });
  const schedule = select(
    t.scheduleLabel,
    data.schedules.map((each) => ({ value: each.id, label: scheduleName(each) })),
    (value) => {
      scheduled = true;
      view.set({ schedule: value, at: -1 });
    },
  );
  const split = choice(
    t.splitLabel,
    [
      { value: "train", label: t.training },
      { value: "test", label: t.test },
      { value: "both", label: t.both },
    ],
    (value) => view.set({ split: value, at: -1 }),
  );
  const seeds = choice(
    t.seedsLabel,
    [
      { value: "band", label: t.band },
      { value: "lines", label: t.lines },
    ],
    (value) => view.set({ seeds: value }),
  );
  const scale = choice(
    t.scaleLabel,
    [
      { value: "linear", label: t.linear },
      { value: "log", label: t.log },
    ],
    (value) => view.set({ scale: value }),
  );
  const paper = toggle(t.paper, (value) => view.set({ paper: value }));
  const table = netTable(texts, data.nets, (names) => view.set({ nets: names.join(",") }));
  const free = h(
    "div",
    {},
    table.element,
    h("div", { class: "rnx-controls" }, split.element, seeds.element, scale.element, paper.element),
  );
  const which = h("div", { class: "rnx-controls" }, schedule.element);
  root.append(nav, above, chart.element, readout, below, free, missing);

  /** What is drawn now: nets, splits, schedule. */
  function scene(): { groups: Group[]; splits: Split[]; schedule: Schedule | undefined; names: string[] } {
    const { step, nets: chosen, split } = view.state;
    const revealed = view.state.shown.split(",").includes(step);
    const pair = PAIRS[step] ?? [];
    let names: string[] = pair;
    let splits: Split[] = ["train"];
    let schedule = guided;
    if (step === "free") {
      schedule = archive.schedule(view.state.schedule) ?? data.schedules[0];
      names = chosen.split(",").filter((name) => nets.has(name));
      splits = split === "both" ? ["train", "test"] : [split as Split];
    } else if (step === "overfitting" && revealed) splits = ["train", "test"];
    else if (step === "steps" && !revealed) schedule = shorter ?? guided;
    else if ((step === "plain" || step === "residual") && !revealed) names = pair.slice(0, 1);
    return { groups: archive.of(names, schedule), splits, schedule, names };
  }

  function linesOf(groups: Group[], splits: Split[]): Line[] {
    const shown = groups.map((group) => group.net);
    const single = view.state.step === "free" && view.state.seeds === "lines";
    return groups.flatMap((group) => {
      const colour = colourOf(group.net);
      const dash = dashOf(group.net, shown);
      return splits.flatMap((split): Line[] => {
        const bold = split === "test" || splits.length === 1;
        const named = split === splits.at(-1) ? netName(group.net) : undefined;
        const width = bold ? 2.4 : 1.2;
        const base = { colour, dash, fresh: true };
        if (single) {
          return group.runs.map((run, i) => ({
            ...base,
            name: `${group.net.name} ${split} ${run.seed}`,
            points: run[split].iteration.map((x, k): Point => [x, run[split].top1_error[k]]),
            width: width * 0.6,
            label: i === 0 ? named : undefined,
          }));
        }
        const points = group.points(split);
        const line = { ...base, name: `${group.net.name} ${split}`, points, width, label: named };
        if (view.state.step === "free" || splits.length > 1) return [{ ...line, band: group.band(split) }];
        return [...seedsOf(group, split, base), line];
      });
    });
  }

  /** In the guided steps every seed is a thin line under the mean. */
  function seedsOf(group: Group, split: Split, base: Pick<Line, "colour" | "fresh">): Line[] {
    if (group.runs.length < 2) return [];
    return group.runs.map((run) => ({
      ...base,
      name: `${group.net.name} ${split} ${run.seed}`,
      points: run[split].iteration.map((x, i): Point => [x, run[split].top1_error[i]]),
      width: 1,
      opacity: 0.5,
    }));
  }

  let drawn = "";
  let now: ReturnType<typeof scene> = { groups: [], splits: [], schedule: undefined, names: [] };
  let stops: number[] = [];

  function draw(): void {
    const { step, shown, at: asked } = view.state;
    const revealed = shown.split(",").includes(step);
    const sketching = !revealed && (step === "plain" || step === "residual");
    const key = JSON.stringify({ ...view.state, at: 0 });
    if (key !== drawn || sketching) {
      now = scene();
      const found = new Set<number>();
      for (const group of now.groups) {
        for (const split of now.splits) group.points(split).forEach(([x]) => found.add(x));
      }
      stops = [...found].sort((a, b) => a - b);
    }
    const at = stops.includes(asked) ? asked : (stops.at(-1) ?? 0);
    const told = readText(at);
    const nothing = step === "free" && !now.groups.length ? texts.chooseNets : "";
    const begun = lines[step]?.some((y) => y !== null);
    readout.textContent = sketching && now.groups.length ? t.sketchHint : told || nothing;
    if (sketching) gates[step].hint(begun && !toTheEdge(lines[step]!) ? t.sketchOn : "");
    if (key === drawn && !sketching) return chart.move(at, told);
    drawn = key;
    drawChart(at, told, sketching && now.groups.length > 0, revealed);
    drawControls(step, revealed);
    showMissing();
  }

  function drawChart(at: number, told: string, sketching: boolean, revealed: boolean): void {
    const { step, scale } = view.state;
    const { groups, splits, schedule } = now;
    const free = step === "free";
    const end = schedule?.iterations ?? 1;
    const columns = sketchColumns(groups[0], end);
    const drawnLines = linesOf(groups, splits);
    if (step === "steps" && revealed) drawnLines.unshift(...faint());
    const own = lines[step];
    if (own && revealed) drawnLines.push(ownLine(columns, own));
    const rules = rulesOf();
    let low = 50;
    let high = 50;
    const widen = (y: number) => {
      if (y > 0 && y < low) low = y;
      if (y > high) high = y;
    };
    for (const { points, band = [] } of drawnLines) {
      for (const [, y] of points) widen(y);
      for (const [, least, most] of band) [least, most].forEach(widen);
    }
    rules.forEach((rule) => widen(rule.y));
    const log = free && scale === "log";
    const errors = splits.map((split) => (split === "train" ? t.trainingError : t.testError));
    const named = errors.length > 1 ? t.bothErrors : errors[0];
    chart.draw({
      label: fill(t.chartLabel, { error: named }),
      xLabel: t.iterations,
      yLabel: (splits.length === 1 ? named : t.error) + texts.comma + texts.percent,
      x: [0, end],
      // The guided steps have one axis, so that what is drawn into it stays where it is.
      y: log ? [Math.max(0.05, low * 0.85), Math.min(100, high * 1.1)] : [0, free ? Math.min(100, Math.ceil(high / 10) * 10) : 100],
      log,
      lines: drawnLines,
      rules,
      at: sketching ? undefined : at,
      stops,
      valueText: told,
      help: sketching ? readout.id : undefined,
      sketch: sketching ? sketchOf(groups[0], columns) : undefined,
      xTicks: [0, 1, 2, 3, 4].map((quarter) => Math.round((end * quarter) / 4)),
      xFormat: (x) => num(x, 0),
    });
  }

  function drawControls(step: string, revealed: boolean): void {
    steps.forEach((each, i) => {
      if (STEPS[i] === step) each.setAttribute("aria-current", "step");
      else each.removeAttribute("aria-current");
    });
    const wanted = step === "free" ? [which] : revealed ? [] : [gates[step].element];
    if (above.firstElementChild !== (wanted[0] ?? null)) above.replaceChildren(...wanted);
    showBelow(step, revealed);
    free.hidden = step !== "free";
    if (step !== "free") return;
    const recorded = archive.groups(now.schedule);
    const countOf = (name: string) => recorded.get(name)?.runs.length ?? 0;
    table.draw(view.state.nets.split(","), countOf, now.schedule?.seeds ?? 0);
    schedule.set(now.schedule?.id ?? "");
    split.set(view.state.split);
    seeds.set(view.state.seeds);
    scale.set(view.state.scale);
    paper.set(view.state.paper);
    paper.disable(noPaper());
  }

  /** The shorter runs, faint, under the longer ones. */
  function faint(): Line[] {
    return linesOf(archive.of(now.names, shorter), now.splits).map((each) => ({
      ...each, name: `shorter ${each.name}`, label: undefined, band: [], opacity: 0.4, width: 1.5,
    }));
  }

  function readText(at: number): string {
    if (!now.groups.length) return "";
    const parts = now.splits.map((split) => {
      const values = now.groups.flatMap((group) => {
        const value = group.at(split, at);
        return value === null ? [] : [`${netName(group.net)} ${num(value)}%`];
      });
      const error = split === "train" ? t.trainingError : t.testError;
      return fill(values.length ? t.errorOf : t.notMeasuredHere, { error, values: values.join(texts.comma) });
    });
    return fill(t.atIteration, { iteration: num(at, 0), errors: parts.join(texts.semicolon) });
  }

  function sketchColumns(group: Group | undefined, end: number): number[] {
    const first = group?.points("train")[0]?.[0] ?? 0;
    const count = 16;
    return Array.from({ length: count + 1 }, (_, i) => Math.round(first + ((end - first) * i) / count));
  }

  function sketchOf(group: Group, columns: number[]): Sketch {
    const step = view.state.step;
    const points = group.points("train");
    const start = columns.map((x) => points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a))[1]);
    const ys = lines[step] ?? columns.map(() => null);
    const net = netName(nets.get(PAIRS[step]![1])!);
    return {
      name: fill(t.sketchName, { net }),
      told: (x, y) => fill(t.sketchAt, { iteration: num(x, 0), error: y === null ? t.nothingDrawn : `${num(y)}%` }),
      xs: columns,
      ys,
      start,
      step: 1,
      invitation: fill(t.invitation, { net }),
      label: t.yourLine,
      change(next) {
        lines[step] = next;
        gates[step]?.ready(toTheEdge(next));
        draw();
      },
    };
  }

  function ownLine(columns: number[], ys: (number | null)[]): Line {
    const points = columns.flatMap((x, i): Point[] => (ys[i] === null ? [] : [[x, ys[i]!]]));
    return { name: "prediction", points, colour: "currentColor", dash: "1 5", width: 2.5, label: t.yourLine };
  }

  /** Why there is no value of the paper's to compare with what is shown, if there is none. */
  function noPaper(): string {
    if (now.schedule?.data !== "cifar10") return t.paperData;
    if (!now.splits.includes("test")) return t.paperTest;
    return now.groups.some(({ net }) => net.published) ? "" : t.paperNone;
  }

  function rulesOf(): Rule[] {
    if (view.state.step !== "free" || !view.state.paper || noPaper()) return [];
    return now.groups.flatMap(({ net }) =>
      net.published
        ? [{ y: net.published.top1_error, label: fill(t.paperRule, { net: netName(net), error: num(net.published.top1_error, 2) }), colour: colourOf(net) }]
        : [],
    );
  }

  // The guided steps: a gate before, a verdict after.
  const reveal = (step: string) => {
    const shown = new Set(view.state.shown.split(",").filter(Boolean));
    view.set({ shown: [...shown.add(step)].join(","), at: -1 });
  };
  const drawingGate = (step: "plain" | "residual") =>
    gate(texts, t.ask[step], null,
      () => {
        lines[step] = toTheEnd(lines[step]!);
        reveal(step);
      },
      () => {
        lines[step] = undefined;
        reveal(step);
      });
  const lengths = { usual: num(shorter?.iterations ?? 0, 0), longer: num(guided?.iterations ?? 0, 0) };
  const choosingGate = (step: "overfitting" | "steps") =>
    choiceGate(texts, step === "steps" && !shorter ? t.askPaper : fill(t.ask[step], lengths), optionsOf(t.answers[step]), (answer) => {
      answers[step] = answer;
      reveal(step);
    });
  const gates: Record<string, Gate> = {
    plain: drawingGate("plain"),
    overfitting: choosingGate("overfitting"),
    steps: choosingGate("steps"),
    residual: drawingGate("residual"),
  };
  /** Whether a line that is drawn comes near the right edge. */
  function toTheEdge(ys: (number | null)[]): boolean {
    return ys.slice(-4).some((y) => y !== null);
  }
  /** A line that stops early goes on level; a single point has a line's beginning before it. */
  function toTheEnd(ys: (number | null)[]): (number | null)[] {
    const last = ys.filter((y) => y !== null).at(-1) ?? null;
    const end = ys.lastIndexOf(last);
    const single = ys.filter((y) => y !== null).length === 1;
    return ys.map((y, i) => (i > end || (single && i === end - 1) ? last : y));
  }
  function optionsOf(labels: Record<string, string>) {
    return Object.entries(labels).map(([value, label]) => ({ value, label }));
  }

  function showBelow(step: string, revealed: boolean): void {
    if (step === "free" || !revealed) return below.replaceChildren();
    const next = STEPS[STEPS.indexOf(step as "plain") + 1];
    below.replaceChildren(
      ...verdict(step).map((each, i, all) => h("p", {}, i === all.length - 1 ? h("strong", {}, each) : each)),
      h("p", { class: "rnx-actions" },
        button(fill(t.next, { step: t.steps[next] }), () => {
          view.set(going(next));
          onward();
        }, "main"),
        button(texts.again, () => {
          lines[step] = undefined;
          gates[step].clear();
          view.set({ shown: view.state.shown.split(",").filter((each) => each !== step).join(",") });
          onward();
        }, "quiet")),
    );
  }

  /** At the question, or at the step. */
  function onward(): void {
    goOn(() => above.querySelector<HTMLElement>(".rnx-ask") ?? nav.querySelector<HTMLElement>("[aria-current]"), { preventScroll: true });
  }

  function range(group: Group, split: Split): string {
    const ends = group.ends(split);
    if (ends.length < 2) return fill(t.oneSeed, { mean: num(ends[0]) });
    return fill(t.seedRange, { mean: num(mean(ends)), low: num(Math.min(...ends)), high: num(Math.max(...ends)), count: ends.length });
  }

  /** What the reader answered, where it was a choice. */
  function answered(step: "overfitting" | "steps"): string[] {
    const answer = answers[step];
    const labels: Record<string, string> = t.answers[step];
    return answer ? [fill(t.youSaid, { answer: labels[answer] })] : [];
  }

  function verdict(step: string): string[] {
    const pair = PAIRS[step] ?? [];
    const [shallow, deep] = archive.of(pair, guided);
    if (!shallow || !deep) return [t.pairMissing];
    const names = { shallow: netName(shallow.net), deep: netName(deep.net) };
    const trainGap = gaps(shallow, deep, "train");
    if (step === "plain" || step === "residual") {
      const own = lines[step]?.at(-1);
      const said = own == null ? [] : [fill(t.youDrew, { value: num(own), ...names, deepEnd: num(mean(deep.ends("train"))) })];
      return [
        ...said,
        fill(t.ends, { ...names, deepEnd: range(deep, "train"), shallowEnd: range(shallow, "train") }),
        t.meaning[step][agreed(trainGap)],
      ];
    }
    if (step === "overfitting") {
      const testGap = gaps(shallow, deep, "test");
      const values = { ...names, trainGap: signed(trainGap), testGap: signed(testGap) };
      return [...answered(step), fill(t.overfitting.measured, values), t.overfitting[agreed(trainGap)]];
    }
    if (!shorter) return [...answered("steps"), t.longer.missing, t.longer.paper];
    const [short, long] = archive.of(pair, shorter);
    const [before, after] = [gaps(short, long, "train"), trainGap];
    const open = agreed(after);
    const change = open !== "higher" ? open : mean(after) < mean(before) ? "shrank" : "grew";
    const measured = fill(t.longer.measured, { before: signed(before), after: signed(after), ...lengths });
    return [...answered("steps"), measured, t.longer[change], t.longer.paper];
  }

  function signed(values: number[]): string {
    if (!values.length) return t.noPair;
    const shown = rounded(mean(values), 1);
    return (shown > 0 ? "+" : "") + num(shown);
  }

  function showMissing(): void {
    const told: string[] = [];
    const { schedule, names } = now;
    const free = view.state.step === "free";
    if (!schedule) told.push(t.nothingRecorded);
    else {
      const recorded = archive.groups(schedule);
      const watched = free ? view.state.nets.split(",") : names; // the ledger's page lists all others
      const known = watched.flatMap((name) => nets.get(name) ?? []);
      const absent = known.filter((net) => !recorded.has(net.name)).map(netName);
      const partial = known.filter((net) => (recorded.get(net.name)?.runs.length ?? schedule.seeds) < schedule.seeds);
      if (absent.length) told.push(fill(t.absent, { nets: listed(absent, texts) }));
      if (partial.length && !free) {
        const each = partial.map((net) => fill(t.partialNet, { net: netName(net), count: recorded.get(net.name)!.runs.length }));
        told.push(fill(t.partial, { nets: listed(each, texts), wanted: schedule.seeds }));
      }
      if (free) told.push(fill(t.dots, { wanted: schedule.seeds }));
      for (const { run_id, why } of free ? data.left_out : []) told.push(`${run_id}: ${why}`);
    }
    missing.textContent = told.join(texts.space);
    missing.hidden = !told.length;
  }

  function rows(): Row[] {
    const { groups, splits, schedule, names } = scene();
    const { step, shown } = view.state;
    const all = groups.map((group) => ({ group, schedule: schedule! }));
    if (step === "steps" && shown.split(",").includes(step) && shorter) {
      all.unshift(...archive.of(names, shorter).map((group) => ({ group, schedule: shorter }))); // faint
    }
    return all.flatMap(({ group, schedule: { tier } }) =>
      group.runs.flatMap((run) =>
        splits.flatMap((split) =>
          run[split].iteration.map((iteration, i) => ({
            run_id: run.run_id, model: run.net, seed: run.seed, tier, split, iteration,
            top1_error: run[split].top1_error[i],
          })),
        ),
      ),
    );
  }

  return { draw, rows, close: () => chart.close() };
}

type Words = typeof words;
const words = {
  question: "What does depth do to a plain net? And to a residual one?",
  stepsLabel: "Questions",
  steps: {
    plain: "Deeper, plain",
    overfitting: "Overfitting?",
    steps: "Too few steps?",
    residual: "With shortcuts",
    free: "Explore freely",
  },
  ask: {
    plain:
      "You see the training error of plain-20. plain-56 is made of the same layers, 36 more of them, and gets the same images in the same order. Draw its training error into the chart.",
    overfitting:
      "A net that overfits fits its training images better and new images worse. Does that explain plain-56?",
    steps:
      "Perhaps the deeper net only needs longer. You see {usual} iterations; the questions before had {longer}. What became of the gap in training error?",
    residual:
      "Now add the input of every two layers to their output, and change nothing else. You see ResNet-20. Draw the training error of ResNet-56.",
  },
  answers: {
    overfitting: { yes: "Yes, overfitting", no: "No, something else" },
    steps: { closes: "It closes", shrinks: "It shrinks", stays: "It stays or grows" },
  },
  sketchHint:
    "Draw with mouse or finger, to the right edge. Keyboard: left and right choose a place, up and down set the error.",
  sketchOn: "Go on to the right edge.",
  invitation: "draw {net} here",
  sketchName: "Your prediction, a line: the training error of {net} over iterations",
  sketchAt: "iteration {iteration}: {error}",
  nothingDrawn: "nothing drawn yet",
  yourLine: "your line",
  next: "Next: {step}",
  youSaid: "You said: {answer}.",
  youDrew: "Your line ends at {value}%; {deep} ended at {deepEnd}%.",
  ends: "At the end of training, {deep} has a training error of {deepEnd} and {shallow} of {shallowEnd}.",
  oneSeed: "{mean}% (one seed)",
  seedRange: "{mean}% (mean of {count} seeds, {low} to {high})",
  meaning: {
    plain: {
      higher: "The deeper net is worse on the very images it was trained on. The paper calls this degradation.",
      lower: "Here the deeper plain net is the better one: no degradation in these runs.",
      unclear: "The seeds do not agree on which net is better.",
    },
    residual: {
      higher: "With shortcuts, too, the deeper net ends higher in these runs; compare the size of the gap with the plain nets'.",
      lower: "With shortcuts the deeper net ends with the lower training error, as in the paper's Figure 6.",
      unclear: "With shortcuts the seeds do not agree on which net is better: no clear gap is left.",
    },
  },
  overfitting: {
    measured: "Thin: training error. Bold: test error. {deep} minus {shallow}: {trainGap} points in training error, {testGap} in test error.",
    higher: "Overfitting would mean a lower training error. It is higher, so overfitting is not the explanation.",
    lower: "The deeper net has the lower training error here, so these runs do not rule overfitting out.",
    unclear: "The seeds do not agree, so these runs decide nothing.",
  },
  longer: {
    measured: "The gap in training error is {before} points after {usual} iterations (faint) and {after} after {longer}.",
    shrank: "The gap shrank and stayed open: more steps help, but this many do not cure it.",
    grew: "The gap did not shrink: too few steps is not the explanation within this budget.",
    lower: "The gap turned round: with enough steps the deeper net wins here.",
    unclear: "The gap closed on some seeds: these runs do not decide.",
    missing: "Not measured here: the archive has these nets at one length only.",
    paper: "The paper reports, of its nets on ImageNet, that three times as many iterations did not cure it (section 4.1, footnote 3).",
  },
  noPair: "not measured",
  pairMissing: "Not measured yet: the archive holds no run of one of the two nets.",
  scheduleLabel: "Schedule",
  schedule: "{tier}: {iterations} iterations, {data}",
  data: { cifar10: "CIFAR-10", embedded: "Fashion-MNIST" },
  splitLabel: "Error",
  training: "training",
  test: "test",
  both: "both",
  seedsLabel: "Seeds",
  band: "mean and range",
  lines: "each",
  scaleLabel: "Scale",
  linear: "linear",
  log: "log",
  askPaper:
    "Perhaps the deeper net only needs longer. Give both nets three times as many iterations: what becomes of the gap in training error? (Such runs are not recorded here: what follows is what the paper says.)",
  paper: "the paper's value",
  paperTest: "(of the test error)",
  paperData: "(of CIFAR-10 only)",
  paperNone: "(none for these nets)",
  paperRule: "{net} in the paper: {error}%",
  chartLabel: "{error} over iterations: the iteration that is read out",
  iterations: "iterations",
  error: "error",
  trainingError: "training error",
  testError: "test error",
  bothErrors: "training error and test error",
  atIteration: "At iteration {iteration}, {errors}.",
  errorOf: "{error}: {values}",
  notMeasuredHere: "{error}: not measured here",
  nothingRecorded: "No run is recorded yet.",
  absent: "Not recorded yet: {nets}.",
  partial: "Seeds recorded so far, of {wanted}: {nets}.",
  partialNet: "{net} {count}",
  dots: "A full dot is a recorded seed, of {wanted} that are planned.",
};

const zh: Words = {
  question: "加深对普通网络有什么影响？对残差网络呢？",
  stepsLabel: "问题",
  steps: {
    plain: "加深普通网络",
    overfitting: "是过拟合吗？",
    steps: "迭代太少？",
    residual: "加上捷径",
    free: "自由探索",
  },
  ask: {
    plain:
      "图中是 plain-20 的训练误差。plain-56 由同样的层组成，只是多出 36 层；训练图像及其顺序都相同。请把它的训练误差画到图中。",
    overfitting:
      "过拟合的网络在训练图像上更准，在新图像上更差。plain-56 的情况能这样解释吗？",
    steps:
      "也许更深的网络只是需要更久。图中是迭代 {usual} 次的结果，前面的问题是 {longer} 次。训练误差的差距怎样了？",
    residual:
      "现在，每两层的输出都加上这两层的输入，其他一概不变。图中是 ResNet-20，请画出 ResNet-56 的训练误差。",
  },
  answers: {
    overfitting: { yes: "能，是过拟合", no: "不能，另有原因" },
    steps: { closes: "差距消失", shrinks: "差距缩小", stays: "差距不变或变大" },
  },
  sketchHint:
    "用鼠标或手指画，一直画到右边缘。键盘：左右键选位置，上下键定误差。",
  sketchOn: "请一直画到右边缘。",
  invitation: "请在这里画出 {net}",
  sketchName: "你的预测，一条线：{net} 的训练误差随迭代的变化",
  sketchAt: "迭代 {iteration} 次时：{error}",
  nothingDrawn: "还没有画",
  yourLine: "你画的线",
  next: "下一步：{step}",
  youSaid: "你的预测：{answer}。",
  youDrew: "你画的线止于 {value}%；{deep} 实际止于 {deepEnd}%。",
  ends: "训练结束时，{deep} 的训练误差为 {deepEnd}，{shallow} 为 {shallowEnd}。",
  oneSeed: "{mean}%（一个种子）",
  seedRange: "{mean}%（{count} 个种子的平均，{low} 到 {high}）",
  meaning: {
    plain: {
      higher: "恰恰在训练所用的图像上，更深的网络反而更差。论文称之为退化。",
      lower: "在这些训练中，更深的普通网络反而更好：没有退化。",
      unclear: "哪个网络更好，各个种子并不一致。",
    },
    residual: {
      higher: "有了捷径，在这些训练中，更深的网络最后的误差仍然更高；请把这个差距与普通网络的差距比一比。",
      lower: "有了捷径，更深的网络最后的训练误差更低，与论文的图 6 一致。",
      unclear: "有了捷径，哪个网络更好，各个种子并不一致：已没有明显的差距。",
    },
  },
  overfitting: {
    measured: "细线：训练误差。粗线：测试误差。{deep} 减去 {shallow}：训练误差 {trainGap} 个百分点，测试误差 {testGap} 个百分点。",
    higher: "若是过拟合，训练误差应当更低。它却更高，所以过拟合解释不了。",
    lower: "这里更深的网络训练误差更低，所以这些训练不能排除过拟合。",
    unclear: "各个种子并不一致，所以这些训练说明不了什么。",
  },
  longer: {
    measured: "训练误差的差距：迭代 {usual} 次后为 {before} 个百分点（淡线），迭代 {longer} 次后为 {after} 个百分点。",
    shrank: "差距缩小了，但仍在：多迭代有帮助，但这么多次还不足以消除它。",
    grew: "差距没有缩小：在这样的训练长度内，迭代太少解释不了它。",
    lower: "差距反了过来：只要迭代够多，这里是更深的网络胜出。",
    unclear: "在一些种子上差距消失了：这些训练还不能下结论。",
    missing: "此处未测量：这两个网络只有一种训练长度的记录。",
    paper: "论文报告说：对它在 ImageNet 上的网络，把迭代次数增加到三倍，也没有消除退化（4.1 节，脚注 3）。",
  },
  noPair: "未测量",
  pairMissing: "尚未测量：两个网络中，有一个还没有存档的训练。",
  scheduleLabel: "档位",
  schedule: "{tier}：迭代 {iterations} 次，{data}",
  data: { cifar10: "CIFAR-10", embedded: "Fashion-MNIST" },
  splitLabel: "误差",
  training: "训练",
  test: "测试",
  both: "两者",
  seedsLabel: "种子",
  band: "平均和范围",
  lines: "逐个",
  scaleLabel: "坐标",
  linear: "线性",
  log: "对数",
  askPaper:
    "也许更深的网络只是需要更久。让两个网络都迭代三倍的次数，训练误差的差距会怎样？（这里没有这样的训练记录：接下来给出的是论文的说法。）",
  paper: "论文的值",
  paperTest: "（只有测试误差）",
  paperData: "（只有 CIFAR-10）",
  paperNone: "（论文没有给出）",
  paperRule: "论文中的 {net}：{error}%",
  chartLabel: "{error}随迭代的变化：选择查看哪一次迭代",
  iterations: "迭代次数",
  error: "误差",
  trainingError: "训练误差",
  testError: "测试误差",
  bothErrors: "训练误差和测试误差",
  atIteration: "迭代 {iteration} 次时，{errors}。",
  errorOf: "{error}：{values}",
  notMeasuredHere: "{error}：此处未测量",
  nothingRecorded: "还没有任何训练记录。",
  absent: "尚无记录：{nets}。",
  partial: "目前已记录的种子（计划 {wanted} 个）：{nets}。",
  partialNet: "{net} {count} 个",
  dots: "实心点是已记录的种子，计划共 {wanted} 个。",
};

export default {
  words: { en: words, zh },
  defaults(data) {
    const has = (schedule: Schedule, net: string) => data.runs.some((run) => run.schedule === schedule.id && run.net === net);
    const usual = data.schedules.find((each) => has(each, "plain20") && has(each, "plain56")) ?? data.schedules[0];
    const nets = ["plain20", "plain56", "resnet20", "resnet56"].filter((net) => usual && has(usual, net));
    return {
      step: "plain", shown: "", schedule: usual?.id ?? "", nets: nets.join(","),
      split: "train", seeds: "band", scale: "linear", paper: false, at: -1,
    };
  },
  choices: (data) => ({
    step: STEPS, shown: ["", ...STEPS], schedule: data.schedules.map((each) => each.id),
    nets: ["", ...data.nets.map((net) => net.name)],
    split: ["train", "test", "both"], seeds: ["band", "lines"], scale: ["linear", "log"],
  }),
  build,
} satisfies Explorer<Data, State, Words>;
