// Responses and gradient norms of every layer, plain against residual, through training.
import { readoutOf } from "../shared/attention.ts";
import { button, choice, slider } from "../shared/controls.ts";
import { Chart, type Line, type Point } from "../shared/chart.ts";
import { h } from "../shared/dom.ts";
import type { Explorer, Parts, Place } from "../shared/explorer.ts";
import { colourOf, dashOf, netName, netTable, type Net as AnyNet } from "../shared/nets.ts";
import { choiceGate } from "../shared/predict.ts";
import type { Row } from "../shared/table.ts";
import { fill, listed, number } from "../shared/words.ts";

type Quantity = "response_std" | "activation_gradient" | "scaled_weight_gradient";
const QUANTITIES: Quantity[] = ["response_std", "activation_gradient", "scaled_weight_gradient"];

/** For each quantity a row of layers at each moment, the mean over seeds. */
interface Net extends AnyNet, Record<Quantity, number[][]> {
  seeds: number;
  moments: number[];
  layers: string[];
}

interface Data {
  nets: Net[];
  seeds: number;
  factor: number;
}

interface State {
  [key: string]: string | number | boolean;
  shown: boolean;
  quantity: string;
  nets: string;
  iteration: number;
  order: string;
  scale: string;
  at: number;
}

/** What a ratio of first to last gradient norm means, as resnet_lib.analysis.health says it. */
export function health(ratio: number, factor: number): "exploding" | "vanishing" | "healthy" | "not measured" {
  if (Number.isNaN(ratio)) return "not measured";
  if (ratio > factor) return "exploding";
  return ratio < 1 / factor ? "vanishing" : "healthy";
}

function build({ root, data, view, t, texts, language }: Place<Data, State, Words>): Parts {
  const num = (value: number, decimals = 0) => number(value, decimals, language);
  /** Three digits that count, whatever the size. */
  const digits = (value: number) => Number(value.toPrecision(3)).toLocaleString(language, { maximumSignificantDigits: 3 });
  const recorded = data.nets.filter((net) => net.seeds > 0);
  const moments = [...new Set(recorded.flatMap((net) => net.moments))].sort((a, b) => a - b);
  const plain = recorded.filter((net) => net.kind === "plain").at(-1);
  const twin = recorded.find((net) => net.kind === "A" && net.depth === plain?.depth);

  const gateBox = h("div", {});
  const verdict = h("p", { class: "rnx-verdict" });
  if (plain) {
    const options = Object.entries(t.answers).map(([value, label]) => ({ value, label }));
    const ask = choiceGate(texts, fill(t.ask, { net: netName(plain, texts) }), options, (answer) => {
      verdict.replaceChildren(...judge(answer));
      const nets = [plain, ...(twin ? [twin] : [])].map((net) => net.name).join(",");
      view.set({ shown: true, quantity: "activation_gradient", nets, iteration: 0, scale: "log", at: 1 });
    });
    gateBox.append(ask.element);
  }
  const ratio = (net: Net) => net.activation_gradient[0][0] / net.activation_gradient[0].at(-1)!;
  /** A text with a net and its ratio, or that this was not measured. */
  const withRatio = (net: Net, text: string) => {
    const value = ratio(net);
    return fill(Number.isNaN(value) ? t.notMeasured : text, { net: netName(net, texts), ratio: digits(value) });
  };
  function judge(answer: string | null): (Node | string)[] {
    const found = health(ratio(plain!), data.factor);
    const said = answer ? fill(t.youSaid, { answer: t.answers[answer as "healthy"] }) + texts.space : "";
    const meaning = found === "not measured" ? [] : [h("strong", {}, t.health[found]), texts.space];
    const other = twin ? withRatio(twin, t.other) + texts.space : "";
    return [said, withRatio(plain!, t.measured), texts.space, ...meaning, other, t.slide];
  }

  let timer = 0;
  const chart = new Chart((at, passing) => view.set({ at }, passing));
  const quantity = choice(t.quantity, QUANTITIES.map((value) => ({ value, label: t.quantities[value] })), (value) =>
    view.set({ quantity: value, scale: value === "response_std" ? "linear" : "log" }));
  const time = slider(t.time, moments, (iteration) => { pause(); view.set({ iteration }); }, (value) => num(value ?? 0));
  const play = button(t.play, () => (timer ? pause() : start()));
  const order = choice(t.order, [{ value: "layer", label: t.layer }, { value: "sorted", label: t.sorted }], (value) => view.set({ order: value, at: 1 }));
  const scale = choice(t.scale, [{ value: "linear", label: t.linear }, { value: "log", label: t.log }], (value) => view.set({ scale: value }));
  const table = netTable(texts, data.nets, (names) => view.set({ nets: names.join(",") }));
  const { element: readout, listen } = readoutOf(chart.element, () => timer); // while it plays it changes too often
  const note = h("p", { class: "rnx-note" });
  const rest = h("div", {},
    verdict,
    h("div", { class: "rnx-controls" }, quantity.element),
    chart.element,
    readout,
    h("div", { class: "rnx-controls" }, time.element, play),
    table.element,
    h("div", { class: "rnx-controls" }, order.element, scale.element),
    note);
  root.append(gateBox, rest);

  function pause(): void {
    clearInterval(timer);
    timer = 0;
    play.textContent = t.play;
    listen();
  }
  function start(): void {
    if (view.state.iteration >= moments.at(-1)!) view.set({ iteration: moments[0] });
    play.textContent = t.pause;
    timer = window.setInterval(() => {
      const next = moments[moments.indexOf(view.state.iteration) + 1];
      if (next === undefined || !root.isConnected) return pause();
      view.set({ iteration: next });
    }, 450);
    listen();
  }

  const chosen = () => recorded.filter((net) => view.state.nets.split(",").includes(net.name));
  function values(net: Net, iteration: number): number[] {
    const moment = net.moments.indexOf(iteration);
    const row = net[view.state.quantity as Quantity]?.[moment] ?? [];
    return view.state.order === "sorted" ? [...row].sort((a, b) => b - a) : row;
  }

  let listedNets: string | undefined; // in the table, which keeps focus and presses while they stay
  function draw(): void {
    const { state } = view;
    gateBox.hidden = state.shown || !plain;
    rest.hidden = !state.shown && Boolean(plain);
    if (rest.hidden) return pause();
    const nets = chosen();
    const iteration = moments.includes(state.iteration) ? state.iteration : (moments[0] ?? 0);
    const log = state.scale === "log";
    const all = nets.flatMap((net) => (net[state.quantity as Quantity] ?? []).flat()).filter((value) => !log || value > 0);
    const [low, high] = [Math.min(...all, Infinity), Math.max(...all, 0)];
    const longest = Math.max(1, ...nets.map((net) => net.layers.length));
    const lines = nets.map((net): Line => ({
      name: net.name, colour: colourOf(net), dash: dashOf(net, nets), label: netName(net, texts),
      points: values(net, iteration).map((y, i): Point => [i + 1, y]).filter(([, y]) => !log || y > 0),
    }));
    const at = Math.min(Math.max(1, state.at), longest);
    const told = readText(nets, iteration, at);
    chart.draw({
      label: fill(t.chartLabel, { quantity: t.long[state.quantity as Quantity] }),
      xLabel: state.order === "sorted" ? t.xSorted : t.xLayer,
      yLabel: t.long[state.quantity as Quantity],
      x: [1, Math.max(2, longest)],
      y: log ? (all.length ? [low * 0.8, high * 1.25] : [0.1, 1]) : [0, high * 1.05 || 1],
      log, lines, at,
      stops: Array.from({ length: longest }, (_, i) => i + 1),
      xTicks: nets.length ? undefined : [],
      valueText: told,
      yFormat: digits,
    });
    readout.textContent = nets.length || !recorded.length ? told : texts.chooseNets;
    quantity.set(state.quantity);
    time.set(iteration);
    order.set(state.order);
    scale.set(state.scale);
    if (listedNets !== state.nets) {
      listedNets = state.nets;
      table.draw(state.nets.split(","), (name) => data.nets.find((net) => net.name === name)!.seeds, data.seeds);
    }
    const absent = data.nets.filter((net) => !net.seeds).map((net) => netName(net, texts));
    note.textContent = [
      recorded.length ? t.notes[state.quantity as Quantity] : t.none,
      recorded.length ? t.means : "",
      absent.length ? fill(t.missing, { nets: listed(absent, texts) }) : "",
    ].filter(Boolean).join(texts.space);
  }

  function readText(nets: Net[], iteration: number, at: number): string {
    const told = nets.flatMap((net) => {
      const value = values(net, iteration)[at - 1];
      if (value === undefined) return [];
      const text = view.state.order === "layer" ? t.valueAt : t.value;
      return [fill(text, { net: netName(net, texts), layer: net.layers[at - 1], value: digits(value) })];
    });
    const text = view.state.order === "sorted" ? t.atRank : t.atLayer;
    return told.length ? fill(text, { iteration: num(iteration), layer: at, values: told.join(texts.comma) }) : "";
  }

  function rows(): Row[] {
    const key = view.state.quantity as Quantity;
    return chosen().flatMap((net) =>
      net.moments.flatMap((iteration, moment) =>
        net.layers.map((name, i) => ({
          model: net.name, seeds: net.seeds, iteration, layer: i + 1, name, [key]: net[key][moment][i],
        }))));
  }

  return { draw, rows, close: () => { pause(); chart.close(); } };
}

type Words = typeof words;
const words = {
  question: "How strongly does each layer respond, and how much gradient reaches it?",
  ask: "Back-propagation runs from the last layer to the first. In {net} with BN, before the first training step, how large is the gradient with respect to the first layer's output, compared with the last layer's?",
  answers: {
    vanishing: "Over 10 times smaller",
    healthy: "Within a factor of 10",
    exploding: "Over 10 times larger",
  },
  youSaid: "You said: {answer}.",
  measured: "In {net} the gradient of the activations is {ratio} times as large at the first layer as at the last.",
  notMeasured: "In {net} this ratio is not measured.",
  health: {
    vanishing: "By that measure it vanishes on its way down.",
    healthy: "Within a factor of ten, which we take the paper's \u201chealthy\u201d to mean.",
    exploding: "It grows on its way down: the opposite of vanishing.",
  },
  other: "In {net}: {ratio} times.",
  slide: "Move through training to see what becomes of it.",
  quantity: "Of each layer",
  quantities: {
    response_std: "response",
    activation_gradient: "activation gradient",
    scaled_weight_gradient: "weight gradient",
  },
  long: {
    response_std: "standard deviation of the response",
    activation_gradient: "norm of the activation gradient",
    scaled_weight_gradient: "weight gradient times weight norm",
  },
  notes: {
    response_std: "The response is a 3\u00d73 layer's output after BN and before ReLU or addition (the paper's Figure 7).",
    activation_gradient: "The gradient of the loss with respect to a layer's output after BN, on one fixed batch.",
    scaled_weight_gradient: "Under BN a weight gradient shrinks as the weights grow, so it is multiplied by their norm.",
  },
  order: "Layers",
  layer: "in order",
  sorted: "sorted by size",
  scale: "Scale",
  linear: "linear",
  log: "log",
  time: "Training iteration",
  play: "Play",
  pause: "Pause",
  xLayer: "layer",
  xSorted: "layers, from the largest value",
  chartLabel: "{quantity} by layer: the layer that is read out",
  atLayer: "Iteration {iteration}, layer {layer}: {values}.",
  atRank: "Iteration {iteration}, rank {layer}: {values}.",
  value: "{net} {value}",
  valueAt: "{net} ({layer}) {value}",
  means: "Lines are means over the recorded seeds.",
  missing: "Not measured yet: {nets}.",
  none: "No recorded run has measured its layers yet.",
};

const zh: Words = {
  question: "各层的响应有多强，传到各层的梯度又有多大？",
  ask: "反向传播从最后一层走到第一层。在有 BN 的 {net} 中，训练的第一步之前，损失对第一层输出的梯度，与对最后一层输出的梯度相比，有多大？",
  answers: {
    vanishing: "不到十分之一",
    healthy: "相差不到 10 倍",
    exploding: "超过 10 倍",
  },
  youSaid: "你的预测：{answer}。",
  measured: "在 {net} 中，第一层激活的梯度是最后一层的 {ratio} 倍。",
  notMeasured: "{net} 的这个比值未测量。",
  health: {
    vanishing: "按这个标准，它在反向传播途中消失了。",
    healthy: "在 10 倍之内；本书以此理解论文所说的“健康”。",
    exploding: "它在反向传播途中变大，与消失正相反。",
  },
  other: "在 {net} 中是 {ratio} 倍。",
  slide: "拖动训练的滑块，看它后来怎样变化。",
  quantity: "各层的",
  quantities: {
    response_std: "响应",
    activation_gradient: "激活的梯度",
    scaled_weight_gradient: "权重的梯度",
  },
  long: {
    response_std: "层响应的标准差",
    activation_gradient: "激活梯度的范数",
    scaled_weight_gradient: "权重梯度与权重的范数之积",
  },
  notes: {
    response_std: "层响应是 3×3 卷积层在 BN 之后、ReLU 或相加之前的输出（论文图 7）。",
    activation_gradient: "损失对各层输出（BN 之后）的梯度，在一个固定的批上计算。",
    scaled_weight_gradient: "有 BN 时，权重越大，权重的梯度越小，所以乘以权重的范数。",
  },
  order: "各层排列",
  layer: "按层序",
  sorted: "按大小",
  scale: "坐标",
  linear: "线性",
  log: "对数",
  time: "训练迭代",
  play: "播放",
  pause: "暂停",
  xLayer: "层",
  xSorted: "层，从值最大的开始",
  chartLabel: "{quantity}（逐层）：选择查看哪一层",
  atLayer: "迭代 {iteration} 次时，第 {layer} 层：{values}。",
  atRank: "迭代 {iteration} 次时，第 {layer} 位：{values}。",
  value: "{net} {value}",
  valueAt: "{net}（{layer}）{value}",
  means: "线是已记录的种子的平均。",
  missing: "尚未测量：{nets}。",
  none: "存档的训练都还没有逐层测量过。",
};

export default {
  words: { en: words, zh },
  defaults(data) {
    const usual = ["plain20", "plain56", "resnet20", "resnet56"];
    const nets = data.nets.filter((net) => net.seeds && usual.includes(net.name)).map((net) => net.name);
    return {
      shown: !data.nets.some((net) => net.seeds && net.kind === "plain"), // of which the question is
      quantity: "activation_gradient", nets: nets.join(","), iteration: 0, order: "layer", scale: "log", at: 1,
    };
  },
  choices: (data) => ({
    quantity: QUANTITIES, nets: ["", ...data.nets.map((net) => net.name)], order: ["layer", "sorted"], scale: ["linear", "log"],
  }),
  build,
} satisfies Explorer<Data, State, Words>;
