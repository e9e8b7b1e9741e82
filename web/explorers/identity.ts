// Build the identity: what must be learned to copy the input. First the reader sets the 22 numbers
// of a block by hand, then the weights slide from a copy to He initialisation.
import { readoutOf } from "../shared/attention.ts";
import { button, choice, select, slider } from "../shared/controls.ts";
import { Chart, type Point } from "../shared/chart.ts";
import { h } from "../shared/dom.ts";
import type { Explorer, Parts, Place } from "../shared/explorer.ts";
import { pixels, pixelsCss, type Pixels } from "../shared/pixels.ts";
import { gate, guess } from "../shared/predict.ts";
import type { Row } from "../shared/table.ts";
import { fill, number, ofData } from "../shared/words.ts";
import {
  between, DIRAC, difference, EPS, he, likeness, moments, NUMBERS, plainCopy, residualCopy, through,
  type Block, type Picture,
} from "./identity/net.ts";
import css from "./identity.css";

interface Data {
  size: number;
  pixels: number[];
  source: string;
}

type Kind = "plain" | "residual";
const STEPS = ["build", "slide"] as const;
const KINDS: Kind[] = ["plain", "residual"];
const MOST = 27;
const SHOWN = [1, 3, 9, 18, 27];
const SHARES = [0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100];
const SEEDS = [0, 1, 2, 3, 4];
const COPIED = 0.999; // from this likeness on, a hand-made block counts as a copy

interface State {
  [key: string]: string | number | boolean;
  step: string;
  shown: boolean;
  kind: string;
  plain: string;
  residual: string;
  depth: number;
  share: number;
  bn: string;
  seed: number;
}

/** A block as its 22 numbers in order, and back. */
const flat = (block: Block): number[] => [
  ...block.conv1, block.gamma1, block.beta1, ...block.conv2, block.gamma2, block.beta2,
];
const unflat = (n: number[]): Block => ({
  conv1: n.slice(0, 9), gamma1: n[9], beta1: n[10], conv2: n.slice(11, 20), gamma2: n[20], beta2: n[21],
});

function build({ root, data, view, t, texts, language }: Place<Data, State, Words>): Parts {
  const num = (value: number, decimals = 2) => number(value, decimals, language);
  const x = picture(data);
  const start = flat(he(1, 0)[0]).map((value) => Math.round(value * 100) / 100);
  let said: Record<Kind, number> | null = null;

  // What the reader built, or how they begin.
  const numbersOf = (kind: Kind): number[] => {
    const given = view.state[kind] ? String(view.state[kind]).split(",").map(Number) : start;
    return given.length === NUMBERS && given.every(Number.isFinite) ? given : start;
  };
  const own = (kind: Kind) => unflat(numbersOf(kind));
  const setNumbers = (kind: Kind, numbers: number[]) =>
    view.set({ [kind]: numbers.every((each, i) => each === start[i]) ? "" : numbers.map((each) => +each.toFixed(4)).join(",") });
  const stackOf = (kind: Kind, count: number) =>
    through(Array.from({ length: count }, () => own(kind)), x, data.size, kind === "residual");

  // The question.
  const bounds = { min: 0, max: NUMBERS, whole: true };
  const guesses = KINDS.map((kind) =>
    guess(texts, t.named[kind], "", bounds, () => ask.ready(guesses.every((each) => each.valid())), kind));
  const reveal = (answer: Record<Kind, number> | null) => {
    said = answer;
    view.set({ shown: true });
  };
  const ask = gate(
    texts,
    fill(t.ask, { numbers: NUMBERS }),
    h("div", { class: "rnx-controls" }, ...guesses.map((each) => each.element)),
    () => reveal({ plain: guesses[0].input.valueAsNumber, residual: guesses[1].input.valueAsNumber }),
    () => reveal(null),
  );
  const verdict = h("div", { class: "rnx-verdict" });

  // The steps.
  const steps = STEPS.map((step, i) => button(`${i + 1} ${t.steps[step]}`, () => view.set({ step })));
  const nav = h("ol", { class: "rnx-steps", "aria-label": t.stepsLabel }, ...steps.map((each) => h("li", {}, each)));

  // Step 1: a block by hand.
  const kind = choice(t.kindLabel, KINDS.map((value) => ({ value, label: t[value] })), (value) => view.set({ kind: value }));
  const inputs: HTMLInputElement[] = start.map((_, i) =>
    h("input", {
      type: "number", step: 0.1, class: "rnx-weight", "aria-label": nameOf(i), "data-weight": i,
      oninput: () => {
        const value = inputs[i].valueAsNumber;
        if (!Number.isFinite(value)) return;
        const numbers = [...numbersOf(now())];
        numbers[i] = value;
        setNumbers(now(), numbers);
      },
      onchange: () => {
        if (!Number.isFinite(inputs[i].valueAsNumber)) inputs[i].value = String(numbersOf(now())[i]);
      },
    }),
  );
  const now = () => (view.state.kind === "residual" ? "residual" : "plain") as Kind;
  function nameOf(i: number): string {
    const layer = i < 11 ? 1 : 2;
    const at = i % 11;
    if (at === 9) return fill(t.gamma, { layer });
    if (at === 10) return fill(t.beta, { layer });
    return fill(t.weight, { layer, row: Math.floor(at / 3) + 1, column: (at % 3) + 1 });
  }
  const moved = [h("p", { class: "rnx-note" }), h("p", { class: "rnx-note" })];
  const layer = (which: number) => {
    const from = which * 11;
    return h(
      "fieldset",
      { class: "rnx-layer" },
      h("legend", {}, fill(t.layer, { layer: which + 1 })),
      h("div", { class: "rnx-kernel" }, ...inputs.slice(from, from + 9)),
      h("div", { class: "rnx-affine" },
        h("label", {}, h("span", {}, "\u03b3"), inputs[from + 9]),
        h("label", {}, h("span", {}, "\u03b2"), inputs[from + 10])),
      moved[which],
    );
  };
  const shots: { element: HTMLElement; pixels: Pixels; caption: HTMLElement }[] = [0, 1, MOST].map((count) => shot(count));
  function shot(count: number) {
    const drawn = pixels(data.size, data.size);
    const caption = h("figcaption", {});
    return { pixels: drawn, caption, element: h("figure", { class: "rnx-shot", "data-blocks": count }, drawn.element, caption) };
  }
  const arrow = () => h("span", { class: "rnx-arrow", "aria-hidden": "true" }, "\u2192");
  const builder = h(
    "div",
    { class: "rnx-step" },
    h("div", { class: "rnx-controls" }, kind.element),
    h("div", { class: "rnx-flow" }, shots[0].element, arrow(),
      h("div", { class: "rnx-twolayers" }, layer(0), layer(1)), arrow(), h("div", { class: "rnx-outputs" }, shots[1].element, shots[2].element)),
    h("p", { class: "rnx-actions" },
      button(t.middle, () => setNumbers(now(), numbersOf(now()).map((each, i) => (i % 11 < 9 ? DIRAC[i % 11] : each)))),
      button(t.undo, () => setNumbers(now(), undone(numbersOf(now())))),
      button(t.zero, () => setNumbers(now(), numbersOf(now()).map((each, i) => (i > 19 ? 0 : each)))),
      button(t.shrink, () => setNumbers(now(), numbersOf(now()).map((each, i) => (i % 11 < 9 ? each / 10 : each)))),
      button(t.back, () => setNumbers(now(), start), "quiet")),
    h("p", { class: "rnx-note" }, t.hint),
  );
  /** Gamma and beta that give each layer the picture's own moments back. */
  function undone(numbers: number[]): number[] {
    const [mean, variance] = moments(x);
    const gamma = Math.sqrt(variance + EPS);
    return numbers.map((each, i) => (i % 11 === 9 ? gamma : i % 11 === 10 ? mean : each));
  }

  // Step 2: away from the copy.
  const share = slider(t.share, SHARES, (value) => view.set({ share: value }), (value) => `${num(value, 0)}%`);
  const bn = choice(t.bnLabel, [{ value: "batch", label: t.batch }, { value: "kept", label: t.kept }], (value) => view.set({ bn: value }));
  const seed = select(t.seed, SEEDS.map((value) => ({ value: String(value), label: String(value) })), (value) => view.set({ seed: +value }));
  const chart = new Chart(
    (depth, passing) => (passing ? readOut(depth) : view.set({ depth })),
    () => view.state.step === "slide" && readOut(),
  );
  const strips = KINDS.map((each) => ({
    kind: each,
    shots: SHOWN.map((count) => shot(count)),
  }));
  const slides = h(
    "div",
    { class: "rnx-step" },
    h("div", { class: "rnx-controls" }, share.element),
    ...strips.map((strip) =>
      h("div", { class: `rnx-strip rnx-strip-${strip.kind}` }, h("p", { class: "rnx-strip-name" }, t[strip.kind]),
        h("div", { class: "rnx-shots" }, ...strip.shots.map((each) => each.element)))),
    chart.element,
    h("div", { class: "rnx-controls" }, bn.element, seed.element),
    h("p", { class: "rnx-note" }, t.bnNote),
  );
  const { element: readout } = readoutOf(chart.element);
  const note = h("p", { class: "rnx-note" }, fill(t.note, { source: ofData(data.source, texts) }));
  const first = shot(0);
  first.pixels.grey(x);
  caption(first, 0, x);
  const opening = h("div", { class: "rnx-opening" }, first.element, ask.element);
  root.append(h("style", {}, pixelsCss, css), opening, verdict, nav, builder, slides, readout, note);

  /** Where the slide begins: the reader's block if it copies, else the textbook's. */
  function solutions(kind: Kind, drawn: Block[]): { blocks: Block[]; own: boolean } {
    const mine = view.state[kind] !== "" && likeness(stackOf(kind, MOST).outputs[MOST], x) >= COPIED;
    const blocks = drawn.map((block) => (mine ? own(kind) : kind === "plain" ? plainCopy(x) : residualCopy(block)));
    return { blocks, own: mine };
  }

  let computed = { key: "", outputs: {} as Record<Kind, Picture[]> };
  /** Plain and residual outputs after each block, on the way from the copy to He. */
  function slid(): Record<Kind, Picture[]> {
    const { share, bn, seed, plain, residual } = view.state;
    const key = JSON.stringify([share, bn, seed, plain, residual]);
    if (key !== computed.key) {
      const drawn = he(MOST, seed);
      const outputs = {} as Record<Kind, Picture[]>;
      for (const kind of KINDS) {
        const { blocks } = solutions(kind, drawn);
        const kept = bn === "kept" ? through(blocks, x, data.size, kind === "residual").used : undefined;
        const mixed = blocks.map((block, i) => between(block, drawn[i], share / 100));
        outputs[kind] = through(mixed, x, data.size, kind === "residual", kept).outputs;
      }
      computed = { key, outputs };
    }
    return computed.outputs;
  }

  function draw(): void {
    const { shown, step } = view.state;
    opening.hidden = shown;
    verdict.hidden = nav.hidden = readout.hidden = !shown;
    builder.hidden = !shown || step !== "build";
    slides.hidden = !shown || step !== "slide";
    if (!shown) return;
    verdict.replaceChildren(
      ...(said ? [h("p", {}, fill(t.youSaid, { plain: said.plain, residual: said.residual }))] : []),
      h("p", {}, h("strong", {}, t.answerPlain), texts.space, t.answerPlainWhy),
      h("p", {}, h("strong", {}, t.answerResidual), texts.space, fill(t.answerResidualWhy, wide())),
    );
    steps.forEach((each, i) => {
      if (STEPS[i] === step) each.setAttribute("aria-current", "step");
      else each.removeAttribute("aria-current");
    });
    if (step === "build") drawBuilder();
    else drawSlides();
  }

  /** The same count for the blocks of the paper's CIFAR nets, on 16 channels. */
  function wide() {
    const channels = 16;
    return {
      plainWide: num(2 * 9 * channels ** 2 + 4 * channels, 0), residualWide: num(2 * channels, 0), channels,
    };
  }

  function drawBuilder(): void {
    const which = now();
    const numbers = numbersOf(which);
    kind.set(which);
    const focused = (root.getRootNode() as Document).activeElement;
    inputs.forEach((input, i) => {
      if (focused !== input || input.valueAsNumber !== numbers[i]) input.value = String(+numbers[i].toFixed(3));
      input.classList.toggle("rnx-changed", numbers[i] !== start[i]);
      input.style.setProperty("--weight", `${Math.min(60, Math.abs(numbers[i]) * 45)}%`);
      input.style.setProperty("--sign", numbers[i] >= 0 ? "#2684e0" : "#e86a30");
    });
    const { outputs, used } = stackOf(which, MOST);
    moved.forEach((each, i) => {
      const [mean, variance] = i ? [used[0].mean2, used[0].var2] : [used[0].mean1, used[0].var1];
      each.textContent = fill(t.statistics, { mean: num(mean), deviation: num(Math.sqrt(variance)) });
    });
    shots.forEach((each, i) => {
      const count = [0, 1, MOST][i];
      each.pixels.grey(outputs[count]);
      caption(each, count, outputs[count]);
    });
    const set = numbers.filter((each, i) => each !== start[i]).length;
    const alike = [1, MOST].map((count) => likeness(outputs[count], x));
    const values = {
      kind: t.named[which], set, numbers: NUMBERS, one: num(alike[0]), all: num(alike[1]), most: MOST,
      off: num(difference(outputs[1], x), 3),
    };
    readout.textContent = fill(t.built, values) + (alike[1] >= COPIED ? texts.space + t.copies : "");
  }

  function caption(each: { pixels: Pixels; caption: HTMLElement }, count: number, output: Picture): void {
    const name = count === 0 ? t.input : fill(t.after, { count });
    const alike = count === 0 ? "" : num(likeness(output, x));
    each.caption.replaceChildren(name, ...(alike ? [h("b", {}, alike)] : []));
    each.pixels.say(alike ? fill(t.alike, { name, alike }) : name);
  }

  function drawSlides(): void {
    const state = view.state;
    const outputs = slid();
    share.set(state.share);
    bn.set(state.bn);
    seed.set(String(state.seed));
    for (const strip of strips) {
      strip.shots.forEach((each, i) => {
        each.pixels.grey(outputs[strip.kind][SHOWN[i]]);
        caption(each, SHOWN[i], outputs[strip.kind][SHOWN[i]]);
      });
    }
    const lines = KINDS.map((kind) => ({
      name: kind,
      label: t[kind],
      colour: `var(--rn-${kind})`,
      width: 2.4,
      points: outputs[kind].map((each, i): Point => [i, likeness(each, x)]),
    }));
    const lowest = Math.min(0, ...lines.flatMap((line) => line.points.map((point) => point[1])));
    chart.draw({
      label: t.chartLabel, xLabel: t.blocks, yLabel: t.likeness, x: [0, MOST], y: [Math.floor(lowest * 5) / 5, 1.06],
      lines, stops: Array.from({ length: MOST + 1 }, (_, i) => i), height: 230,
      yFormat: (y) => num(y, 1),
    });
    readOut();
  }

  /** Say how alike the pictures are after some blocks: those chosen, or those pointed at. */
  function readOut(depth = Math.round(Math.min(MOST, Math.max(0, view.state.depth)))): void {
    const outputs = slid();
    const [plain, residual] = KINDS.map((kind) => num(likeness(outputs[kind][depth], x)));
    const told = fill(t.slid, { share: num(view.state.share, 0), depth, plain, residual });
    chart.move(depth, told);
    readout.textContent = told;
  }

  function rows(): Row[] {
    const state = view.state;
    if (state.step === "slide") {
      const outputs = slid();
      return KINDS.flatMap((kind) =>
        outputs[kind].map((each, blocks) => ({
          kind, blocks, share_percent: state.share, bn: state.bn, seed: state.seed, likeness: likeness(each, x),
        })),
      );
    }
    return KINDS.flatMap((kind) => numbersOf(kind).map((value, i) => ({ kind, number: nameOf(i), start: start[i], value })));
  }

  return { draw, rows, close: () => chart.close() };
}

/** What the blocks get: the darkest pixel at 0, the standard deviation 1. */
function picture(data: Data): Picture {
  const grey = Float64Array.from(data.pixels);
  const low = Math.min(...data.pixels);
  const deviation = Math.sqrt(moments(grey)[1]);
  return grey.map((each) => (each - low) / deviation);
}

type Words = typeof words;
const words = {
  question: "What must be learned to copy the input?",
  ask: "A block on one channel: 3x3 kernel, BN with scale \u03b3 and shift \u03b2, ReLU, and the same again. The residual block also adds its input before the last ReLU. Each has {numbers} numbers. How many of them have to be set if the block is to return the picture it was given?",
  plain: "plain",
  residual: "residual",
  named: { plain: "Plain block", residual: "Residual block" },
  youSaid: "You said {plain} for the plain block and {residual} for the residual one.",
  answerPlain: "Plain: all 22.",
  answerPlainWhy: "Each kernel needs a middle that is not zero and eight zeros around it, the first \u03b3 and \u03b2 must keep the picture above zero for ReLU, and the last must undo BN: \u03b3 the picture's deviation, \u03b2 its mean. (The middles and the first \u03b3 and \u03b2 leave some choice; what a new block has right already counts as unchanged below.)",
  answerResidual: "Residual: 2.",
  answerResidualWhy: "With the last \u03b3 and \u03b2 at zero the input passes through the shortcut, whatever the other 20 are; a new block's last \u03b2 is zero already. In a block on {channels} channels {plainWide} numbers have to be set against {residualWide}.",
  stepsLabel: "Steps",
  steps: { build: "Build the copy", slide: "Move away from it" },
  kindLabel: "Block",
  gamma: "scale \u03b3 of layer {layer}",
  beta: "shift \u03b2 of layer {layer}",
  weight: "kernel of layer {layer}, row {row}, column {column}",
  layer: "Layer {layer}",
  statistics: "BN: mean {mean}, deviation {deviation}",
  middle: "1 in the middles, 0 around",
  undo: "Undo BN",
  zero: "Last \u03b3, \u03b2 to 0",
  shrink: "Kernels / 10",
  back: "Start again",
  hint: "Set the numbers by hand or with the buttons. Try kernels a tenth of the size, too: BN divides by the deviation, so that alone changes nothing.",
  input: "input",
  after: "after {count}",
  alike: "{name}: likeness to the input {alike}",
  built: "{kind}, {set} of {numbers} numbers changed: likeness to the input {one} after one block (largest difference {off}) and {all} after {most} blocks with the same numbers.",
  copies: "A copy.",
  share: "Weights on the way from the copy to He initialisation:",
  bnLabel: "BN uses",
  batch: "the picture's own statistics",
  kept: "those of the copy",
  bnNote: "As in training, or as in evaluation, where statistics were kept earlier.",
  seed: "Seed",
  chartLabel: "Likeness to the input over the number of blocks: how many blocks are read out",
  blocks: "blocks passed",
  likeness: "likeness",
  slid: "{share}% of the way, after {depth} blocks: likeness to the input {plain} in plain blocks, {residual} in residual ones.",
  note: "Likeness is the correlation of two pictures: 1 is the same up to brightness and contrast. Each picture is shown with its own contrast. He initialisation: kernels from a normal distribution of variance 2/9, \u03b3 1, \u03b2 0, the same for both kinds. All is computed here, on the page. Picture: {source}.",
};

const zh: Words = {
  question: "要复制输入，必须学会什么？",
  ask: "一个单通道的块依次为：3x3 卷积、带缩放 γ 和平移 β 的 BN、ReLU，再重复一遍（第二个 ReLU 在最后）。残差块还在最后一个 ReLU 之前加上自己的输入。两种块各有 {numbers} 个数。要让块把给它的图片原样返回，必须设定其中几个？",
  plain: "普通",
  residual: "残差",
  named: { plain: "普通块", residual: "残差块" },
  youSaid: "你的预测：普通块 {plain} 个，残差块 {residual} 个。",
  answerPlain: "普通块：全部 22 个。",
  answerPlainWhy: "每个卷积核的中心不能为零，周围八个数必须为零；第一个 γ 和 β 必须使图片大于零，才能通过 ReLU；最后的 γ 和 β 必须抵消 BN：γ 取图片的标准差，β 取其均值。（两个中心以及第一个 γ 和 β 有一些选择余地；新块里本来就对的数，下面不算改动。）",
  answerResidual: "残差块：2 个。",
  answerResidualWhy: "最后的 γ 和 β 为零时，输入从捷径通过，其余 20 个数是多少都行；新块最后的 β 本来就是零。在 {channels} 个通道的块中，普通块必须设定 {plainWide} 个数，残差块只需 {residualWide} 个。",
  stepsLabel: "步骤",
  steps: { build: "搭出恒等映射", slide: "逐步偏离" },
  kindLabel: "块",
  gamma: "第 {layer} 层的缩放 γ",
  beta: "第 {layer} 层的平移 β",
  weight: "第 {layer} 层的卷积核，第 {row} 行第 {column} 列",
  layer: "第 {layer} 层",
  statistics: "BN：均值 {mean}，标准差 {deviation}",
  middle: "中心为 1，周围为 0",
  undo: "抵消 BN",
  zero: "最后的 γ、β 为 0",
  shrink: "卷积核除以 10",
  back: "重新开始",
  hint: "手动输入各数，或用按钮设定。也试试把卷积核缩小到十分之一：BN 会除以标准差，所以单做这一步，什么也不会改变。",
  input: "输入",
  after: "{count} 个块后",
  alike: "{name}：与输入的相似度 {alike}",
  built: "{kind}，{numbers} 个数中改动了 {set} 个：与输入的相似度，一个块之后为 {one}（最大差值 {off}），数值相同的 {most} 个块之后为 {all}。",
  copies: "复制成功。",
  share: "权重从恒等映射走向 He 初始化，已走",
  bnLabel: "BN 使用",
  batch: "图片自身的统计量",
  kept: "恒等映射时的统计量",
  bnNote: "前者如同训练模式；后者如同评估模式，统计量是先前保存的。",
  seed: "随机种子",
  chartLabel: "与输入的相似度随块数的变化：选择查看几个块之后",
  blocks: "经过的块数",
  likeness: "相似度",
  slid: "走了 {share}%，经过 {depth} 个块：与输入的相似度，普通块为 {plain}，残差块为 {residual}。",
  note: "相似度是两张图片的相关系数：1 表示至多只差亮度和对比度。每张图片按自己的对比度显示。He 初始化：卷积核取自方差为 2/9 的正态分布，γ 为 1，β 为 0，两种块相同。全部在本页上当场计算。图片：{source}。",
};

export default {
  words: { en: words, zh },
  defaults: () => ({
    step: "build", shown: false, kind: "plain", plain: "", residual: "", depth: MOST, share: 20, bn: "batch", seed: 0,
  }),
  choices: () => ({ step: STEPS, kind: KINDS, bn: ["batch", "kept"] }),
  build,
} satisfies Explorer<Data, State, Words>;
