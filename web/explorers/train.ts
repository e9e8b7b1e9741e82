// The chart of "Train it yourself": recorded runs faint, those of the session in full. Its controls
// need a kernel and are ipywidgets (resnet_lib/widgets/train.py); a page shows the recorded runs.
import { choice } from "../shared/controls.ts";
import { Chart, valueAt, type Line, type Point } from "../shared/chart.ts";
import { h } from "../shared/dom.ts";
import type { Explorer, Parts, Place } from "../shared/explorer.ts";
import { colourOf, dashOf, type Net } from "../shared/nets.ts";
import type { Row } from "../shared/table.ts";
import { fill, number } from "../shared/words.ts";

interface Run extends Net {
  run_id: string;
  train: Point[];
  test: Point[];
}

interface Data {
  recorded: Run[];
  session: Run[];
  progress: { net: string; iteration: number; iterations: number; seconds_left: number | null } | null;
  error: string;
}

interface State {
  [key: string]: string | number | boolean;
  split: string;
  at: number;
}

function build({ root, data: first, view, t, texts, language, links }: Place<Data, State, Words>): Parts {
  let data = first;
  const num = (value: number, decimals = 0) => number(value, decimals, language);
  const chart = new Chart((at, passing) => view.set({ at }, passing));
  const split = choice(t.error, [
    { value: "train", label: t.training },
    { value: "test", label: t.test },
  ], (value) => view.set({ split: value, at: -1 }));
  const bar = h("progress", { class: "rnx-progress", max: 1, "aria-label": t.progress });
  const status = h("p", { "aria-live": "polite", class: "rnx-readout" });
  const reached = h("p", { class: "rnx-note" }); // changes too often to be read out
  const readout = h("p", { class: "rnx-note", "aria-live": "off" });
  const where = h("p", { class: "rnx-note" });
  root.append(status, reached, bar, h("div", { class: "rnx-controls" }, split.element), chart.element, readout, where);
  if (links) {
    const link = (key: string, label: string) => (links[key] ? h("a", { href: links[key] }, label) : null);
    where.append(t.needsKernel, texts.space, ...[link("playground", t.playground), link("colab", t.colab)].flatMap((each) => (each ? [each, texts.space] : [])));
  } else where.hidden = true;

  const shown = () => [...data.recorded, ...data.session];
  const points = (run: Run) => run[view.state.split as "train"];

  function draw(): void {
    const runs = shown();
    const own = data.session.length > 0;
    const xs = [...new Set(runs.flatMap((run) => points(run).map(([x]) => x)))].sort((a, b) => a - b);
    const most = own ? Math.max(...data.session.map((run) => points(run).at(-1)?.[0] ?? 0), data.progress?.iterations ?? 0) : (xs.at(-1) ?? 0);
    const end = Math.max(1, most);
    const stops = xs.filter((x) => x <= end);
    const at = stops.includes(view.state.at) ? view.state.at : (stops.at(-1) ?? 0);
    const last = data.session.at(-1);
    const lines = runs.map((run): Line => {
      const recorded = data.recorded.includes(run);
      return {
        name: `${recorded ? "recorded" : "session"} ${run.run_id}`,
        points: points(run).filter(([x]) => x <= end),
        colour: colourOf(run),
        dash: dashOf(run, runs),
        width: run === last ? 3 : 2,
        opacity: recorded && own ? 0.4 : run === last || !own ? 1 : 0.75,
        label: recorded && own ? undefined : run.name,
      };
    });
    const error = view.state.split === "train" ? t.trainingError : t.testError;
    const told = runs.flatMap((run) => {
      const value = valueAt(points(run), at);
      return value === null ? [] : [`${run.name} ${num(value, 1)}%`];
    });
    const text = told.length ? fill(t.atIteration, { iteration: num(at), error, values: told.join(texts.comma) }) : "";
    const high = Math.max(50, ...lines.flatMap((line) => line.points.map(([, y]) => y)));
    chart.draw({
      label: fill(t.chartLabel, { error }), xLabel: t.iterations, yLabel: error + texts.comma + texts.percent,
      x: [0, end], y: [0, Math.min(100, Math.ceil(high / 10) * 10)], lines, at, stops, valueText: text,
      xTicks: [0, 1, 2, 3, 4].map((quarter) => Math.round((end * quarter) / 4)), xFormat: (x) => num(x),
    });
    readout.textContent = text;
    split.set(view.state.split);
    const { progress } = data;
    bar.hidden = !progress;
    if (progress) bar.value = progress.iteration / progress.iterations;
    reached.hidden = !progress?.net;
    if (progress) reached.textContent = running(progress);
    const now = data.error || (progress ? starting(progress) : standing());
    if (status.textContent !== now) status.textContent = now;
  }

  function starting({ net }: NonNullable<Data["progress"]>): string {
    return net ? fill(t.started, { net }) : t.preparing;
  }

  function standing(): string {
    if (data.session.length) return fill(t.done, { count: data.session.length });
    return data.recorded.length ? fill(t.recorded, { count: data.recorded.length }) : t.nothing;
  }

  function running(progress: NonNullable<Data["progress"]>): string {
    const values = { iteration: num(progress.iteration), iterations: num(progress.iterations) };
    const left = progress.seconds_left;
    return fill(t.running, values) + (left === null ? "" : texts.space + fill(t.left, { seconds: num(Math.ceil(left)) }));
  }

  function rows(): Row[] {
    return shown().flatMap((run) =>
      (["train", "test"] as const).flatMap((split) =>
        run[split].map(([iteration, top1_error]) => ({ run_id: run.run_id, net: run.name, split, iteration, top1_error }))));
  }

  const update = (fresh: unknown) => {
    data = fresh as Data;
    draw();
  };
  return { draw, rows, update, close: () => chart.close() };
}

type Words = typeof words;
const words = {
  question: "Train it yourself: which choice makes a net better?",
  error: "Error",
  training: "training",
  test: "test",
  trainingError: "training error",
  testError: "test error",
  iterations: "iterations",
  progress: "Progress of the run",
  chartLabel: "{error} over iterations: the iteration that is read out",
  atIteration: "At iteration {iteration}, {error}: {values}.",
  preparing: "Reading the images.",
  started: "Training {net}.",
  running: "Iteration {iteration} of {iterations}.",
  left: "About {seconds} s left.",
  done: "Runs of this session: {count}. Faint lines are recorded runs of the same data.",
  recorded: "Recorded runs: {count}.",
  nothing: "No run yet: no recorded run used these images. Predict an error, then press Train.",
  needsKernel: "Training needs a kernel: run explore.train() in JupyterLab or Colab.",
  playground: "Smaller nets train on the playground's page.",
  colab: "Open a notebook in Colab.",
};

const zh: Words = {
  question: "自己训练：什么选择能让网络更好？",
  error: "误差",
  training: "训练",
  test: "测试",
  trainingError: "训练误差",
  testError: "测试误差",
  iterations: "迭代次数",
  progress: "训练的进度",
  chartLabel: "{error}随迭代的变化：选择查看哪一次迭代",
  atIteration: "迭代 {iteration} 次时，{error}：{values}。",
  preparing: "正在读取图像。",
  started: "正在训练 {net}。",
  running: "第 {iteration} 次迭代，共 {iterations} 次。",
  left: "还需约 {seconds} 秒。",
  done: "这里的训练：{count} 次。淡线是同样数据上存档的训练。",
  recorded: "存档的训练：{count} 次。",
  nothing: "还没有训练：存档中没有用这些图像的记录。请先预测误差，再按“Train”。",
  needsKernel: "训练需要内核：请在 JupyterLab 或 Colab 中运行 explore.train()。",
  playground: "更小的网络可以在游乐场的页面上训练。",
  colab: "在 Colab 中打开笔记本。",
};

export default {
  words: { en: words, zh },
  defaults: () => ({ split: "train", at: -1 }),
  choices: () => ({ split: ["train", "test"] }),
  build,
} satisfies Explorer<Data, State, Words>;
