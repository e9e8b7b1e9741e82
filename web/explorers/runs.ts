// Recorded training runs: what depth does to a plain net, and to a residual one.
// Four questions with a prediction each, then the whole archive by hand.
import { button, choice, select, toggle } from "../shared/controls.ts";
import { Chart, valueAt, type Line, type Point, type Rule, type Sketch } from "../shared/chart.ts";
import { h } from "../shared/dom.ts";
import type { Explorer, Parts, Place } from "../shared/explorer.ts";
import { choiceGate, gate } from "../shared/predict.ts";
import type { Row } from "../shared/table.ts";
import { fill, listed, number } from "../shared/words.ts";

interface Series {
  iteration: number[];
  top1_error: number[];
}

interface Run {
  run_id: string;
  net: string;
  seed: number;
  schedule: string;
  train: Series;
  test: Series;
}

interface Net {
  name: string;
  kind: string; // plain, A, B, C, preactivation, or the name of a variant
  depth: number;
  published: { top1_error: number; place: string } | null;
}

interface Schedule {
  id: string;
  tier: string;
  data: string;
  iterations: number;
  seeds: number;
  planned: string[];
}

interface Data {
  nets: Net[];
  schedules: Schedule[];
  runs: Run[];
  left_out: { run_id: string; why: string }[];
}

type Split = "train" | "test";

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
const PAIRS: Record<string, [string, string]> = { residual: ["resnet20", "resnet56"] };
const COLOURS: Record<string, string> = {
  plain: "plain", A: "residual", B: "purple", C: "teal", preactivation: "green",
};
const DASHES = ["", "7 3", "4 3 1 3", "2 3", "9 3 2 3", "1 4"];

/** Runs of one net in one schedule, and their mean and range at each iteration. */
class Group {
  constructor(readonly net: Net, readonly runs: Run[]) {}

  points(split: Split): Point[] {
    return this.at(split).map(([x, values]) => [x, values.reduce((a, b) => a + b) / values.length]);
  }

  band(split: Split): [number, number, number][] {
    if (this.runs.length < 2) return [];
    return this.at(split).map(([x, values]) => [x, Math.min(...values), Math.max(...values)]);
  }

  /** The last error of each seed. */
  ends(split: Split): number[] {
    return this.runs.map((run) => run[split].top1_error.at(-1)!);
  }

  private at(split: Split): [number, number[]][] {
    const values = new Map<number, number[]>();
    for (const run of this.runs) {
      run[split].iteration.forEach((x, i) => {
        values.set(x, [...(values.get(x) ?? []), run[split].top1_error[i]]);
      });
    }
    return [...values].sort((a, b) => a[0] - b[0]);
  }
}

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

function build({ root, data, view, texts, language }: Place<Data, State>): Parts {
  const t = texts.runs;
  const nets = new Map(data.nets.map((net) => [net.name, net]));
  const num = (value: number, decimals = 1) => number(value, decimals, language);
  const chart = new Chart((at) => view.set({ at }));
  const lines: Record<string, (number | null)[] | undefined> = {}; // what the reader drew, by step
  const answers: Record<string, string | null> = {};

  const netName = (net: Net): string => {
    const known: Record<string, string> = { plain: t.plain, preactivation: t.preactivation };
    const name = fill(known[net.kind] ?? t.residual, { depth: net.depth });
    if (net.kind in known || net.kind === "A") return name;
    return `${name} ${net.kind}`;
  };

  const groups = (schedule: string): Map<string, Group> => {
    const found = new Map<string, Run[]>();
    for (const run of data.runs) {
      if (run.schedule === schedule) found.set(run.net, [...(found.get(run.net) ?? []), run]);
    }
    return new Map([...found].map(([name, runs]) => [name, new Group(nets.get(name)!, runs)]));
  };
  const cache = new Map<string, Map<string, Group>>();
  const groupsOf = (schedule: string) => {
    if (!cache.has(schedule)) cache.set(schedule, groups(schedule));
    return cache.get(schedule)!;
  };
  const scheduleOf = (id: string): Schedule | undefined => data.schedules.find((each) => each.id === id) ?? data.schedules[0];
  /** Three times the schedule that the guided steps are about (the paper's footnote 3). */
  const longer = () => {
    const usual = scheduleOf(view.state.schedule);
    return data.schedules.find(
      (each) => each.tier === usual?.tier && each.data === usual.data && each.iterations === 3 * usual.iterations,
    );
  };

  // The parts, from top to bottom.
  const steps = STEPS.map((step, i) => {
    const name = `${step === "free" ? "" : `${i + 1} `}${t.steps[step]}`;
    return button(name, () => view.set({ step, at: -1 }));
  });
  const nav = h("ol", { class: "rnx-steps", "aria-label": t.stepsLabel }, ...steps.map((each) => h("li", {}, each)));
  const above = h("div", {});
  const readout = h("p", { class: "rnx-readout", "aria-live": "polite" });
  const below = h("div", { class: "rnx-verdict" });
  const missing = h("p", { class: "rnx-note" });

  // The free explorer's controls.
  const scheduleName = (each: Schedule) =>
    fill(t.schedule, { iterations: num(each.iterations, 0), data: t.data[each.data as "cifar10"] ?? each.data, tier: each.tier });
  const schedule = select(
    t.scheduleLabel,
    data.schedules.map((each) => ({ value: each.id, label: scheduleName(each) })),
    (value) => view.set({ schedule: value, at: -1 }),
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
  const grid = h("div", { class: "rnx-nets" });
  const free = h(
    "div",
    {},
    grid,
    h("div", { class: "rnx-controls" }, split.element, seeds.element, scale.element, paper.element, schedule.element),
  );
  root.append(nav, above, chart.element, readout, below, free, missing);

  function drawGrid(): void {
    const recorded = groupsOf(view.state.schedule);
    const chosen = new Set(view.state.nets.split(","));
    const kinds = [...new Set(data.nets.map((net) => net.kind))];
    const depths = [...new Set(data.nets.map((net) => net.depth))].sort((a, b) => a - b);
    const wanted = scheduleOf(view.state.schedule)?.seeds ?? 0;
    const head = h("tr", {}, h("th", { scope: "col" }, t.depth), ...depths.map((d) => h("th", { scope: "col" }, String(d))));
    const rows = kinds.map((kind) => {
      const cells = depths.map((depth) => {
        const net = data.nets.find((each) => each.kind === kind && each.depth === depth);
        const group = net && recorded.get(net.name);
        if (!net || !group) return h("td", {}, h("span", { class: "rnx-none", title: t.notRecorded }, "\u00b7"));
        const on = chosen.has(net.name);
        const told = fill(t.seedsRecorded, { net: netName(net), count: group.runs.length, wanted });
        const flip = () => {
          on ? chosen.delete(net.name) : chosen.add(net.name);
          view.set({ nets: [...chosen].filter(Boolean).join(",") });
        };
        const style = `--colour:var(--rn-${COLOURS[kind] ?? "teal"})`;
        const dots = h("i", { "aria-hidden": "true" }, "\u25cf".repeat(group.runs.length));
        const attributes = { type: "button", class: "rnx-net", "aria-pressed": String(on), "aria-label": told, title: told, style, onclick: flip, "data-net": net.name };
        return h("td", {}, h("button", attributes, h("b", {}, String(depth)), dots));
      });
      return h("tr", {}, h("th", { scope: "row" }, t.kinds[kind as "plain"] ?? kind), ...cells);
    });
    const focused = (document.activeElement as HTMLElement | null)?.dataset?.net;
    grid.replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)));
    if (focused) grid.querySelector<HTMLElement>(`[data-net="${focused}"]`)?.focus();
  }

  /** What is drawn now: nets, splits, schedule. */
  function scene(): { groups: Group[]; splits: Split[]; schedule: Schedule | undefined; names: string[] } {
    const { step, nets: chosen, split } = view.state;
    const usual = scheduleOf(view.state.schedule);
    const revealed = view.state.shown.split(",").includes(step);
    const pair = PAIRS[step] ?? ["plain20", "plain56"];
    let names: string[] = pair;
    let splits: Split[] = ["train"];
    let schedule: Schedule | undefined = usual;
    if (step === "free") {
      names = chosen.split(",").filter((name) => nets.has(name));
      splits = split === "both" ? ["train", "test"] : [split as Split];
    } else if (step === "overfitting" && revealed) splits = ["train", "test"];
    else if (step === "steps" && revealed) schedule = longer();
    else if ((step === "plain" || step === "residual") && !revealed) names = pair.slice(0, 1);
    const recorded = schedule ? groupsOf(schedule.id) : new Map<string, Group>();
    const found = names.flatMap((name) => recorded.get(name) ?? []);
    return { groups: found, splits, schedule, names };
  }

  function linesOf(groups: Group[], splits: Split[]): Line[] {
    const depths = [...new Set(groups.map((group) => group.net.depth))].sort((a, b) => b - a);
    const single = view.state.step === "free" && view.state.seeds === "lines";
    return groups.flatMap((group) => {
      const colour = `var(--rn-${COLOURS[group.net.kind] ?? "teal"})`;
      const dash = DASHES[Math.min(depths.indexOf(group.net.depth), DASHES.length - 1)];
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
        return [{ ...base, name: `${group.net.name} ${split}`, points, band: group.band(split), width, label: named }];
      });
    });
  }

  function draw(): void {
    const state = view.state;
    const isFree = state.step === "free";
    const revealed = state.shown.split(",").includes(state.step);
    const { groups, splits, schedule: chosen, names } = scene();
    steps.forEach((each, i) => {
      if (STEPS[i] === state.step) each.setAttribute("aria-current", "step");
      else each.removeAttribute("aria-current");
    });
    const drawnLines = linesOf(groups, splits);
    const own = lines[state.step];
    const shownLine = own && revealed ? own : null;
    const end = chosen?.iterations ?? 1;
    const columns = sketchColumns(groups[0], end);
    if (shownLine) drawnLines.push(ownLine(columns, shownLine));
    const sketching = !revealed && (state.step === "plain" || state.step === "residual") && groups.length > 0;
    const high = Math.max(50, ...drawnLines.flatMap((each) => each.points.map((point) => point[1])));
    const low = Math.min(50, ...drawnLines.flatMap((each) => each.points.map((point) => point[1])).filter((y) => y > 0));
    const log = isFree && state.scale === "log";
    const stops = [...new Set(groups.flatMap((group) => splits.flatMap((split) => group.points(split).map((p) => p[0]))))].sort((a, b) => a - b);
    const at = stops.includes(state.at) ? state.at : (stops.at(-1) ?? 0);
    const told = readText(groups, splits, at);
    showAbove(state.step, revealed, groups, names);
    chart.draw({
      label: fill(t.chartLabel, { error: splits.map((each) => (each === "train" ? t.trainingError : t.testError)).join(texts.and) }),
      xLabel: t.iterations,
      yLabel: `${splits.length === 1 ? (splits[0] === "train" ? t.trainingError : t.testError) : t.error}, %`,
      x: [0, end],
      y: log ? [Math.max(0.05, low * 0.9), Math.min(100, high * 1.1)] : [0, Math.min(100, Math.ceil(high / 10) * 10)],
      log,
      lines: drawnLines,
      rules: rulesOf(groups, splits, isFree),
      at: sketching ? undefined : at,
      stops,
      valueText: told,
      sketch: sketching ? sketchOf(groups[0], columns) : undefined,
      xFormat: (x) => num(x, 0),
    });
    readout.textContent = sketching ? t.sketchHint : told;
    showBelow(state.step, revealed);
    free.hidden = !isFree;
    if (isFree) {
      drawGrid();
      schedule.set(chosen?.id ?? "");
      split.set(state.split);
      seeds.set(state.seeds);
      scale.set(state.scale);
      paper.set(state.paper);
    }
    showMissing(names, chosen, isFree);
  }

  function readText(groups: Group[], splits: Split[], at: number): string {
    if (!groups.length) return "";
    const parts = splits.map((split) => {
      const values = groups.flatMap((group) => {
        const value = valueAt(group.points(split), at);
        return value === null ? [] : [`${netName(group.net)} ${num(value)}%`];
      });
      const name = split === "train" ? t.trainingError : t.testError;
      return values.length ? `${name}: ${values.join(texts.comma)}` : fill(t.notMeasuredHere, { error: name });
    });
    return `${fill(t.atIteration, { iteration: num(at, 0) })} ${parts.join("; ")}.`;
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
    return {
      xs: columns,
      ys,
      start,
      step: 1,
      change(next) {
        lines[step] = next;
        gates[step]?.ready(next.at(-1) !== null);
        draw();
      },
    };
  }

  function ownLine(columns: number[], ys: (number | null)[]): Line {
    const points = columns.flatMap((x, i): Point[] => (ys[i] === null ? [] : [[x, ys[i]!]]));
    return { name: "prediction", points, colour: "currentColor", dash: "1 5", width: 2.5, label: t.yourLine };
  }

  function rulesOf(groups: Group[], splits: Split[], isFree: boolean): Rule[] {
    if (!isFree || !view.state.paper || !splits.includes("test")) return [];
    return groups.flatMap(({ net }) =>
      net.published
        ? [{ y: net.published.top1_error, label: fill(t.paperRule, { net: netName(net), error: num(net.published.top1_error, 2) }), colour: `var(--rn-${COLOURS[net.kind] ?? "teal"})` }]
        : [],
    );
  }

  // The guided steps: a gate before, a verdict after.
  const reveal = (step: string) => {
    const shown = new Set(view.state.shown.split(",").filter(Boolean));
    view.set({ shown: [...shown.add(step)].join(","), at: -1 });
  };
  const gates: Record<string, { element: HTMLElement; ready(yes: boolean): void }> = {
    plain: gate(texts, t.ask.plain, null, () => reveal("plain"), () => { lines.plain = undefined; reveal("plain"); }),
    overfitting: choiceGate(texts, t.ask.overfitting, optionsOf(t.answers.overfitting), (answer) => { answers.overfitting = answer; reveal("overfitting"); }),
    steps: choiceGate(texts, t.ask.steps, optionsOf(t.answers.steps), (answer) => { answers.steps = answer; reveal("steps"); }),
    residual: gate(texts, t.ask.residual, null, () => reveal("residual"), () => { lines.residual = undefined; reveal("residual"); }),
  };
  function optionsOf(labels: Record<string, string>) {
    return Object.entries(labels).map(([value, label]) => ({ value, label }));
  }

  function showAbove(step: string, revealed: boolean, groups: Group[], names: string[]): void {
    const wanted = revealed || step === "free" ? null : gates[step].element;
    if (wanted ? above.firstChild !== wanted : above.firstChild) above.replaceChildren(...(wanted ? [wanted] : []));
  }

  function showBelow(step: string, revealed: boolean): void {
    if (step === "free" || !revealed) return below.replaceChildren();
    const next = STEPS[STEPS.indexOf(step as "plain") + 1];
    below.replaceChildren(
      ...verdict(step).map((each) => h("p", {}, each)),
      h("p", { class: "rnx-actions" },
        button(fill(t.next, { step: t.steps[next] }), () => view.set({ step: next, at: -1 }), "main"),
        button(t.again, () => {
          lines[step] = undefined;
          view.set({ shown: view.state.shown.split(",").filter((each) => each !== step).join(",") });
        }, "quiet")),
    );
  }

  function range(group: Group, split: Split): string {
    const ends = group.ends(split);
    if (ends.length < 2) return fill(t.oneSeed, { mean: num(ends[0]) });
    return fill(t.seedRange, { mean: num(mean(ends)), low: num(Math.min(...ends)), high: num(Math.max(...ends)), count: ends.length });
  }

  /** By how much the deep net's last error is above the shallow one's, for each seed of both. */
  function gaps(shallow: Group, deep: Group, split: Split): number[] {
    return deep.runs.flatMap((run) => {
      const twin = shallow.runs.find((each) => each.seed === run.seed);
      return twin ? [run[split].top1_error.at(-1)! - twin[split].top1_error.at(-1)!] : [];
    });
  }

  function verdict(step: string): string[] {
    const usual = scheduleOf(view.state.schedule);
    const recorded = usual ? groupsOf(usual.id) : new Map<string, Group>();
    const pair = PAIRS[step] ?? ["plain20", "plain56"];
    const [shallow, deep] = pair.map((name) => recorded.get(name));
    if (!shallow || !deep) return [t.pairMissing];
    const names = { shallow: netName(shallow.net), deep: netName(deep.net) };
    const all = (values: number[], test: (value: number) => boolean) => values.length > 0 && values.every(test);
    const verb = (values: number[]) => (all(values, (v) => v > 0) ? "higher" : all(values, (v) => v < 0) ? "lower" : "unclear");
    const trainGap = gaps(shallow, deep, "train");
    if (step === "plain" || step === "residual") {
      const own = lines[step]?.at(-1);
      const said = own == null ? [] : [fill(t.youDrew, { value: num(own), ...names, deepEnd: num(mean(deep.ends("train"))) })];
      return [
        ...said,
        fill(t.ends, { ...names, deepEnd: range(deep, "train"), shallowEnd: range(shallow, "train") }),
        t.meaning[step][verb(trainGap)],
      ];
    }
    if (step === "overfitting") {
      const testGap = gaps(shallow, deep, "test");
      const values = { ...names, trainGap: signed(trainGap), testGap: signed(testGap) };
      return [fill(t.overfitting.measured, values), t.overfitting[verb(trainGap)]];
    }
    const later = longer();
    const [longShallow, longDeep] = pair.map((name) => (later ? groupsOf(later.id).get(name) : undefined));
    if (!later || !longShallow || !longDeep) {
      return [fill(t.longer.missing, { iterations: num(3 * (usual?.iterations ?? 0), 0) })];
    }
    const after = gaps(longShallow, longDeep, "train");
    const values = { before: signed(trainGap), after: signed(after), usual: num(usual!.iterations, 0), longer: num(later.iterations, 0) };
    const open = verb(after);
    const change = open !== "higher" ? open : mean(after) < mean(trainGap) ? "shrank" : "grew";
    return [fill(t.longer.measured, values), t.longer[change]];
  }

  function signed(values: number[]): string {
    if (!values.length) return t.noPair;
    const text = number(mean(values), 1, language);
    return mean(values) > 0 ? `+${text}` : text;
  }

  function showMissing(names: string[], chosen: Schedule | undefined, isFree: boolean): void {
    const told: string[] = [];
    if (!chosen) told.push(t.nothingRecorded);
    else {
      const recorded = groupsOf(chosen.id);
      const watched = isFree ? chosen.planned : names;
      const absent = watched.filter((name) => !recorded.has(name)).flatMap((name) => nets.get(name) ?? []);
      const partial = [...recorded.values()].filter((group) => watched.includes(group.net.name) && group.runs.length < chosen.seeds);
      if (absent.length) told.push(fill(t.absent, { nets: listed(absent.map(netName), texts) }));
      if (partial.length) {
        const each = partial.map((group) => `${netName(group.net)} (${group.runs.length}/${chosen.seeds})`);
        told.push(fill(t.partial, { nets: listed(each, texts) }));
      }
      if (isFree && !data.schedules.some((each) => each.tier === "paper")) told.push(t.noPaperTier);
      for (const { run_id, why } of isFree ? data.left_out : []) told.push(`${run_id}: ${why}.`);
    }
    missing.textContent = told.join(" ");
    missing.hidden = !told.length;
  }

  function rows(): Row[] {
    const { groups, splits, schedule } = scene();
    return groups.flatMap((group) =>
      group.runs.flatMap((run) =>
        splits.flatMap((split) =>
          run[split].iteration.map((iteration, i) => ({
            run_id: run.run_id, model: run.net, seed: run.seed, tier: schedule!.tier, split, iteration,
            top1_error: run[split].top1_error[i],
          })),
        ),
      ),
    );
  }

  return { draw, rows, close: () => chart.close() };
}

export const runs: Explorer<Data, State> = {
  question: (texts) => texts.runs.question,
  defaults(data) {
    const has = (schedule: Schedule, net: string) => data.runs.some((run) => run.schedule === schedule.id && run.net === net);
    const usual = data.schedules.find((each) => has(each, "plain20") && has(each, "plain56")) ?? data.schedules[0];
    const nets = ["plain20", "plain56", "resnet20", "resnet56"].filter((net) => usual && has(usual, net));
    return {
      step: "plain", shown: "", schedule: usual?.id ?? "", nets: nets.join(","),
      split: "train", seeds: "band", scale: "linear", paper: false, at: -1,
    };
  },
  build,
};
