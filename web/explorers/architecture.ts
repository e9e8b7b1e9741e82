// Any net of the two papers, drawn to scale and counted: where do its layers, parameters and
// multiply-adds sit?
import { cifarBlocks, complexity, DEEPEST, PER_N, type Block, type Complexity, type Config, type Stage } from "../shared/arithmetic.ts";
import { enlarged } from "../shared/attention.ts";
import { choice, slider } from "../shared/controls.ts";
import { h, onWidth, s } from "../shared/dom.ts";
import type { Explorer, Parts, Place } from "../shared/explorer.ts";
import { numberGate } from "../shared/predict.ts";
import type { Row } from "../shared/table.ts";
import { fill, number } from "../shared/words.ts";

interface Vgg {
  weighted_layers: number;
  parameters: number;
  multiply_adds: number;
  stages: Omit<Stage, "detail">[];
}

interface Model extends Config {
  depth: number;
}

interface Data {
  models: Record<string, Model>;
  vgg: Record<string, Vgg>;
  published: Record<string, number>;
}

interface State {
  [key: string]: string | number | boolean;
  shown: boolean;
  family: string;
  depth: number;
  block: string;
  kind: string;
  option: string;
  stride: string;
  open: string;
}

// n of 6n+2 or 9n+2: all the small ones, then those of the papers and some between.
const N = [...Array.from({ length: 20 }, (_, i) => i + 1), 25, 30, 40, 50, 75, 100, 111, 150, 200];

/** The depths of CIFAR nets to choose from. */
function cifarDepths(block: string): number[] {
  return N.map((n) => PER_N[block] * n + 2).filter((depth) => depth <= DEEPEST);
}

function build({ root, data, view, t, texts, language }: Place<Data, State, Words>): Parts {
  const num = (value: number, decimals = 0) => number(value, decimals, language);
  /** So many billions, in the unit that the language counts them in. */
  const billions = (value: number, decimals: number) => num(value * t.perBillion, decimals - Math.log10(t.perBillion));
  const big = (value: number) => {
    const scale = t.scales.find(({ from }) => value >= from);
    return scale ? `${num(value / scale.unit, scale.decimals)} ${scale.name}` : num(value);
  };

  const imagenetNets = Object.values(data.models).filter((net) => net.family === "imagenet");
  const imagenetDepths = [...new Set(imagenetNets.map((net) => net.depth))].sort((a, b) => a - b);
  const blockOf = (depth: number) => imagenetNets.find((net) => net.depth === depth)!.block;

  /** Blocks in each stage of a net. Errors: `RangeError` for a depth that its family has not. */
  function stageBlocks({ family, depth, block }: State): number[] {
    if (family === "cifar") return cifarBlocks(depth, block);
    const found = imagenetNets.find((net) => net.depth === depth && net.block === block);
    if (!found) throw new RangeError(`no net has ${depth} layers`);
    return found.stage_blocks;
  }

  function config(): Config {
    const { family, block, kind, option, stride } = view.state;
    const base = data.models[family === "imagenet" ? "resnet50" : "resnet20"];
    return {
      ...base, block, stage_blocks: stageBlocks(view.state), stride_in: stride,
      shortcut: kind === "plain" ? "none" : option,
      order: kind === "preactivation" ? "preactivation" : "original",
    };
  }

  /** Take a change of the controls and make the rest of the state fit it. */
  function change(patch: Partial<State>): void {
    const next = { ...view.state, ...patch };
    if (patch.family === "imagenet") Object.assign(next, { depth: 50, block: "bottleneck", option: "B" });
    if (patch.family === "cifar") Object.assign(next, { depth: 56, block: "basic", option: "A" });
    const depths = next.family === "imagenet" ? imagenetDepths : cifarDepths(next.block);
    const moved = ["family", "block", "depth"].some((key) => key in patch);
    if (moved && !depths.includes(next.depth)) {
      next.depth = depths.reduce((a, b) => (Math.abs(b - next.depth) < Math.abs(a - next.depth) ? b : a));
    }
    if (next.family === "imagenet") next.block = blockOf(next.depth);
    view.set(next);
  }

  const gateBox = h("div", {});
  const verdict = h("p", { class: "rnx-verdict" });
  const ask = numberGate(
    texts,
    fill(t.ask, { vgg: billions(data.vgg.vgg19.multiply_adds / 1e9, 1) }),
    t.billion,
    { min: 0, max: 1000 * t.perBillion },
    (answer) => {
      const resnet = complexity(data.models.resnet152).multiply_adds / 1e9;
      const values = {
        resnet: billions(resnet, 2), printed: billions(data.published.resnet152, 1), vgg: billions(data.vgg.vgg19.multiply_adds / 1e9, 2),
      };
      verdict.replaceChildren(
        ...(answer === null ? [] : [fill(t.youSaid, { answer: billions(answer / t.perBillion, 1) }), texts.space]),
        h("strong", {}, fill(t.answer, values)),
      );
      change({ shown: true, family: "imagenet" });
      change({ depth: 152 });
    },
  );
  gateBox.append(ask.element);

  const family = choice(t.images, [
    { value: "imagenet", label: "ImageNet" },
    { value: "cifar", label: "CIFAR-10" },
  ], (value) => change({ family: value }));
  const large = choice(t.depth, imagenetDepths.map((d) => ({ value: String(d), label: String(d) })),
    (value) => change({ depth: +value }));
  const small = slider(t.depth, cifarDepths("basic"), (depth) => change({ depth }), (depth) => {
    const per = PER_N[view.state.block];
    return fill(t.depthIs, { depth: num(depth), per, n: (depth - 2) / per });
  });
  const block = choice(t.block, [
    { value: "basic", label: t.basic },
    { value: "bottleneck", label: t.bottleneck },
  ], (value) => change({ block: value }));
  const kind = choice(t.kind, [
    { value: "plain", label: t.plain },
    { value: "residual", label: t.residual },
    { value: "preactivation", label: t.preactivation },
  ], (value) => change({ kind: value }));
  const option = choice(t.option, ["A", "B", "C"].map((value) => ({ value, label: value })), (value) => change({ option: value }));
  const stride = choice(t.stride, [
    { value: "1x1", label: t.stride1 },
    { value: "3x3", label: t.stride3 },
  ], (value) => change({ stride: value }));

  const controls = h("div", { class: "rnx-controls" },
    family.element, large.element, small.element, block.element, kind.element, option.element, stride.element);
  const totals = h("p", { class: "rnx-readout", "aria-live": "polite" });
  const note = h("p", { class: "rnx-note" });
  const picture = h("div", { class: "rnx-stages" });
  const table = h("div", { class: "rnx-costs" });
  const beside = h("div", { class: "rnx-beside" });
  const rest = h("div", {}, verdict, controls, totals, picture, table, beside, note);
  root.append(gateBox, rest);
  const close = onWidth(picture, drawPicture);

  let net: Complexity = complexity(config());

  const sizeOf = (size: number, channels: number) => `${size}\u00d7${size}\u00d7${num(channels)}`;
  const colour = () => ({ plain: "plain", preactivation: "green" })[view.state.kind] ?? "residual";

  function name(): string {
    const { kind, depth, option } = view.state;
    const names = texts.nets;
    const found = fill(kind === "plain" ? names.plain : kind === "preactivation" ? names.preactivation : names.residual, { depth });
    return kind === "plain" ? found : `${found}${texts.comma}${fill(t.optionIs, { option })}`;
  }

  function draw(): void {
    const { state } = view;
    gateBox.hidden = state.shown;
    rest.hidden = !state.shown;
    if (!state.shown) return;
    net = complexity(config());
    family.set(state.family);
    const imagenet = state.family === "imagenet";
    large.element.hidden = !imagenet;
    small.element.hidden = imagenet;
    large.set(String(state.depth));
    if (!imagenet) { // an address may name a depth between the stops
      small.stops([...new Set([...cifarDepths(state.block), state.depth])].sort((a, b) => a - b));
      small.set(state.depth);
    }
    block.element.hidden = imagenet;
    block.set(state.block);
    kind.set(state.kind);
    option.element.hidden = state.kind === "plain";
    option.set(state.option);
    stride.element.hidden = state.block !== "bottleneck";
    stride.set(state.stride);
    const counts = {
      net: name(), layers: num(net.weighted_layers), parameters: num(net.parameters), multiply_adds: num(net.multiply_adds),
    };
    totals.replaceChildren(h("strong", {}, counts.net), fill(t.totals, counts));
    drawPicture();
    drawTable();
    drawBeside();
  }

  /** Each stage as a box: as high and wide as its maps, as deep as it has channels. */
  function drawPicture(): void {
    const whole = Math.floor(picture.clientWidth);
    if (!whole || !view.state.shown) return;
    const stages = net.stages.filter((stage) => stage.name !== "fc");
    const scale = Math.min(enlarged(picture), Math.max(1, whole / stages.length / 50)); // as far as the names have room
    const width = whole / scale;
    const largest = view.state.family === "imagenet" ? 112 : 32;
    const most = Math.max(...stages.map((stage) => stage.channels));
    const cell = width / stages.length;
    const side = (stage: Stage) => Math.max(4, (stage.size / largest) * Math.min(72, cell * 0.52));
    const deep = (stage: Stage) => Math.max(2, (stage.channels / most) * Math.min(46, cell * 0.34));
    const height = Math.max(...stages.map((stage) => side(stage) + deep(stage) * 0.5)) + 46;
    const svg = s("svg", { class: "rnx-svg", width: whole, height: height * scale, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    stages.forEach((stage, i) => {
      const a = side(stage), d = deep(stage), k = d * 0.5;
      const middle = cell * (i + 0.5);
      const x = middle - (a + d) / 2, y = height - 40 - a;
      const style = `fill:var(--rn-${colour()})`;
      const open = () => view.set({ open: view.state.open === stage.name ? "" : stage.name });
      svg.append(
        s("g", { class: stage.blocks ? "rnx-box rnx-can" : "rnx-box", onclick: stage.blocks ? open : undefined },
          s("polygon", { points: `${x},${y} ${x + d},${y - k} ${x + d + a},${y - k} ${x + a},${y}`, style, opacity: 0.55 }),
          s("polygon", { points: `${x + a},${y} ${x + a + d},${y - k} ${x + a + d},${y - k + a} ${x + a},${y + a}`, style, opacity: 0.35 }),
          s("rect", { x, y, width: a, height: a, style, opacity: 0.85 }),
          s("text", { class: "rnx-box-name", x: middle, y: height - 22, "text-anchor": "middle" }, cell < 64 ? stage.name.replace("_x", "") : stage.name),
          s("text", { class: "rnx-label", x: middle, y: height - 7, "text-anchor": "middle" },
            stage.blocks ? fill(cell < 90 ? t.blocksShort : stage.blocks === 1 ? t.single : t.blocks, { count: stage.blocks }) : cell < 90 ? "" : t.convolution),
        ),
      );
    });
    picture.replaceChildren(svg);
  }

  function bar(value: number, whole: number, text: string): HTMLElement {
    const style = `width:${((100 * value) / whole).toFixed(2)}%;background:var(--rn-${colour()})`;
    return h("span", { class: "rnx-bar" }, h("i", { style }), h("span", {}, text));
  }

  function drawTable(): void {
    const mostCost = Math.max(...net.stages.map((stage) => stage.multiply_adds));
    const mostParameters = Math.max(...net.stages.map((stage) => stage.parameters));
    const rows = net.stages.flatMap((stage) => {
      const opened = view.state.open === stage.name && stage.blocks > 0;
      const flip = () => view.set({ open: opened ? "" : stage.name });
      const label = stage.blocks
        ? h("button", { type: "button", class: "rnx-open", "aria-expanded": String(opened), onclick: flip, "data-stage": stage.name },
          `${opened ? "\u25be" : "\u25b8"} ${stage.name}`)
        : h("span", {}, stage.name);
      const line = h("tr", {},
        h("th", { scope: "row" }, label,
          h("small", {}, stage.name === "fc" ? num(stage.channels) : sizeOf(stage.size, stage.channels))),
        h("td", {}, bar(stage.parameters, mostParameters, big(stage.parameters))),
        h("td", {}, bar(stage.multiply_adds, mostCost, big(stage.multiply_adds))));
      return opened ? [line, h("tr", {}, h("td", { colspan: 3, class: "rnx-blocks" }, ...blocksOf(stage)))] : [line];
    });
    const head = [t.stage, t.parameters, t.multiplyAdds].map((each) => h("th", { scope: "col" }, each));
    const focused = (table.getRootNode() as Document).activeElement as HTMLElement | null;
    const kept = table.contains(focused) ? focused!.dataset.stage : null;
    table.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)));
    if (kept) table.querySelector<HTMLElement>(`[data-stage="${kept}"]`)?.focus();
  }

  /** The first block of a stage and, as one, those that repeat. */
  function blocksOf(stage: Stage): HTMLElement[] {
    const same = (a: Block, b: Block) => JSON.stringify(a) === JSON.stringify(b);
    const found: { from: number; to: number; block: Block }[] = [];
    stage.detail.forEach((each, i) => {
      const last = found.at(-1);
      if (last && same(last.block, each)) last.to = i;
      else found.push({ from: i, to: i, block: each });
    });
    return found.map(({ from, to, block }) =>
      h("figure", { class: "rnx-block" },
        h("figcaption", {},
          h("b", {}, from === to ? fill(t.oneBlock, { number: from + 1 }) : fill(t.manyBlocks, { from: from + 1, to: to + 1 })),
          texts.space,
          fill(t.blockCost, {
            shortcut: t.shortcuts[block.shortcut as "none"], parameters: num(block.parameters), multiply_adds: num(block.multiply_adds),
          })),
        diagram(block)));
  }

  /** The block as the paper draws it: convolutions in a row, the shortcut above them. */
  function diagram(block: Block): SVGElement {
    const w = 86, gap = 20, y = block.shortcut === "none" ? 4 : 46, height = y + 50;
    const inner = block.layers.length * (w + gap);
    const plus = 26 + inner, width = plus + 46;
    const svg = s("svg", { class: "rnx-svg rnx-diagram", viewBox: `0 0 ${width} ${height}`, style: `max-width:${width / 12}em`, role: "img", "aria-label": block.layers.map(layerText).join(texts.comma) });
    const line = (d: string, dashed = false) => s("path", { d, class: "rnx-wire", "stroke-dasharray": dashed ? "4 4" : undefined });
    svg.append(line(`M4,${y + 16} h22`));
    block.layers.forEach((layer, i) => {
      const x = 26 + i * (w + gap);
      svg.append(
        line(`M${x + w},${y + 16} h${i < block.layers.length - 1 ? gap : gap - 9}`),
        s("rect", { class: "rnx-conv", x, y, width: w, height: 32, rx: 4, style: `stroke:var(--rn-${colour()})` }),
        s("text", { x: x + w / 2, y: y + 20, "text-anchor": "middle", fill: "currentColor" }, layerText(layer)),
        s("text", { class: "rnx-label", x: x + w / 2, y: y + 45, "text-anchor": "middle" }, sizeOf(layer.size, layer.outputs)));
    });
    if (block.shortcut === "none") {
      svg.append(line(`M${plus - 9},${y + 16} H${width - 4}`));
      return svg;
    }
    const start = 14, middle = (start + plus) / 2;
    const [left, right] = block.projection ? [middle - w / 2, middle + w / 2] : [middle, middle];
    svg.append(
      line(`M${start},${y + 16} V14 H${left} M${right},14 H${plus} V${y + 7}`, block.shortcut === "padding"),
      s("circle", { cx: plus, cy: y + 16, r: 9, class: "rnx-wire rnx-plus" }),
      line(`M${plus - 5},${y + 16} h10 M${plus},${y + 11} v10`),
      line(`M${plus + 9},${y + 16} H${width - 4}`));
    if (block.projection) {
      svg.append(
        s("rect", { class: "rnx-conv", x: left, y: 1, width: w, height: 26, rx: 4, style: `stroke:var(--rn-${colour()})` }),
        s("text", { x: middle, y: 18, "text-anchor": "middle", fill: "currentColor" }, layerText(block.projection)));
    }
    return svg;
  }

  function layerText(layer: { kernel: number; outputs: number; stride: number }): string {
    return `${layer.kernel}\u00d7${layer.kernel}, ${layer.outputs}${layer.stride > 1 ? ` /${layer.stride}` : ""}`;
  }

  /** This net's whole cost beside others. */
  function drawBeside(): void {
    const { family, depth, kind, option, stride, block } = view.state;
    const others: [string, number, string][] = family === "imagenet"
      ? [
        [name(), net.multiply_adds, colour()],
        ...(["vgg16", "vgg19"].map((each): [string, number, string] => [each === "vgg16" ? "VGG-16" : "VGG-19", data.vgg[each].multiply_adds, ""])),
      ]
      : [];
    const most = Math.max(1, ...others.map(([, value]) => value));
    beside.replaceChildren(
      ...(others.length ? [h("p", { class: "rnx-soft" }, t.beside)] : []),
      ...others.map(([label, value, shade]) =>
        h("p", { class: "rnx-compare" }, h("span", {}, label),
          h("span", { class: "rnx-bar" },
            h("i", { style: `width:${((100 * value) / most).toFixed(2)}%;background:${shade ? `var(--rn-${shade})` : "var(--rnx-soft)"}` }),
            h("span", {}, big(value))))));
    const twin = complexity({ ...config(), shortcut: kind === "plain" ? "A" : "none" });
    const told = [];
    const usual = block === "bottleneck" ? "B" : "A";
    const asPrinted = family === "imagenet" && kind === "residual" && option === usual && stride === "1x1";
    const printed = data.published[`resnet${depth}`];
    if (asPrinted && printed) told.push(fill(t.printed, { printed: billions(printed, 1) }));
    if (stride === "3x3" && block === "bottleneck") told.push(t.torchvision);
    const same = twin.parameters === net.parameters && twin.multiply_adds === net.multiply_adds;
    if (kind !== "preactivation") {
      const values = {
        parameters: num(Math.abs(net.parameters - twin.parameters)),
        multiply_adds: num(Math.abs(net.multiply_adds - twin.multiply_adds)),
      };
      told.push(same ? t.twinSame : fill(t.twinLess, values));
    }
    if (family === "imagenet") told.push(t.vggNote);
    note.textContent = told.join(texts.space);
  }

  function rows(): Row[] {
    return net.stages.map((stage) => ({
      net: name(), stage: stage.name, channels: stage.channels, size: stage.size, blocks: stage.blocks,
      parameters: stage.parameters, multiply_adds: stage.multiply_adds,
    }));
  }

  return { draw, rows, close };
}

type Words = typeof words;
const words = {
  question: "Where do a net's layers, parameters and multiply-adds sit?",
  ask: "VGG-19 has 19 weighted layers and needs {vgg} billion multiply-adds for one image. ResNet-152 has 152. How many billion does it need?",
  billion: "billion",
  // How many of that unit are a billion; and the units of large numbers, from where each is used.
  perBillion: 1,
  scales: [
    { from: 1e9, unit: 1e9, decimals: 2, name: "billion" },
    { from: 1e7, unit: 1e6, decimals: 1, name: "million" },
    { from: 1e6, unit: 1e6, decimals: 2, name: "million" },
  ],
  youSaid: "You said {answer} billion.",
  answer: "ResNet-152 needs {resnet} billion (the paper's Table 1 prints {printed}), VGG-19 {vgg}: eight times the layers, less work.",
  images: "Images",
  depth: "Depth",
  depthIs: "{depth} = {per}\u00b7{n}+2",
  block: "Block",
  basic: "two 3\u00d73",
  bottleneck: "bottleneck",
  kind: "Net",
  plain: "plain",
  residual: "residual",
  preactivation: "pre-activation",
  option: "Shortcut option",
  optionIs: "option {option}",
  stride: "Stride in",
  stride1: "1\u00d71 (paper)",
  stride3: "3\u00d73 (torchvision)",
  totals: ": {layers} weighted layers, {parameters} parameters, {multiply_adds} multiply-adds for one image.",
  blocks: "{count} blocks",
  single: "{count} block",
  blocksShort: "\u00d7{count}",
  convolution: "one layer",
  stage: "stage, output",
  parameters: "parameters",
  multiplyAdds: "multiply-adds",
  oneBlock: "Block {number}.",
  manyBlocks: "Blocks {from} to {to}, each the same.",
  shortcuts: {
    none: "No shortcut",
    identity: "Identity shortcut",
    padding: "Option A: every second pixel, new channels zero",
    projection: "Projection: a 1\u00d71 convolution with BN",
  },
  blockCost: "{shortcut}. {parameters} parameters, {multiply_adds} multiply-adds.",
  beside: "Multiply-adds beside VGG",
  printed: "The paper's Table 1 prints {printed} billion.",
  torchvision: "torchvision puts the stride into the 3\u00d73 convolution; the paper into the first 1\u00d71.",
  twinSame: "The twin without shortcuts, or with option A's, costs exactly the same: identity shortcuts are free.",
  twinLess: "Its projections cost {parameters} parameters and {multiply_adds} multiply-adds more than no shortcuts at all.",
  vggNote: "VGG is counted with its fully connected layers; the 15.3 billion printed for VGG-16 leave them out.",
};

const zh: Words = {
  question: "一个网络的层、参数和乘加次数，分布在哪里？",
  ask: "VGG-19 有 19 个带权重的层，每张图像需要 {vgg} 亿次乘加。ResNet-152 有 152 层。它需要多少亿次？",
  billion: "亿次",
  perBillion: 10,
  scales: [
    { from: 1e9, unit: 1e8, decimals: 1, name: "亿" },
    { from: 1e8, unit: 1e8, decimals: 2, name: "亿" },
    { from: 1e6, unit: 1e4, decimals: 0, name: "万" },
  ],
  youSaid: "你的预测：{answer} 亿次。",
  answer: "ResNet-152 需要 {resnet} 亿次（论文表 1 给出 {printed} 亿），VGG-19 需要 {vgg} 亿次：层数是八倍，计算量反而更小。",
  images: "图像",
  depth: "深度",
  depthIs: "{depth} = {per}·{n}+2",
  block: "块",
  basic: "两个 3×3",
  bottleneck: "瓶颈块",
  kind: "网络",
  plain: "普通",
  residual: "残差",
  preactivation: "预激活",
  option: "捷径方案",
  optionIs: "方案 {option}",
  stride: "步长 2 放在",
  stride1: "1×1（论文）",
  stride3: "3×3（torchvision）",
  totals: "：{layers} 个带权重的层，{parameters} 个参数，每张图像 {multiply_adds} 次乘加。",
  blocks: "{count} 个块",
  single: "{count} 个块",
  blocksShort: "×{count}",
  convolution: "一层",
  stage: "阶段，输出",
  parameters: "参数",
  multiplyAdds: "乘加次数",
  oneBlock: "第 {number} 块。",
  manyBlocks: "第 {from} 至 {to} 块，各块相同。",
  shortcuts: {
    none: "没有捷径",
    identity: "恒等捷径",
    padding: "方案 A：隔点取样，新增的通道补零",
    projection: "投影：1×1 卷积加 BN",
  },
  blockCost: "{shortcut}。{parameters} 个参数，{multiply_adds} 次乘加。",
  beside: "与 VGG 比较乘加次数",
  printed: "论文表 1 给出 {printed} 亿。",
  torchvision: "torchvision 把步长 2 放在 3×3 卷积，论文则放在第一个 1×1 卷积。",
  twinSame: "有没有方案 A 的捷径，参数和计算量都完全相同：恒等捷径没有额外的代价。",
  twinLess: "与完全没有捷径相比，它的投影多用 {parameters} 个参数和 {multiply_adds} 次乘加。",
  vggNote: "VGG 连同全连接层一起计算；论文给出的 VGG-16 的 153 亿不含全连接层。",
};

export default {
  words: { en: words, zh },
  defaults: () => ({
    shown: false, family: "imagenet", depth: 50, block: "bottleneck", kind: "residual", option: "B", stride: "1x1", open: "",
  }),
  choices: () => ({
    family: ["imagenet", "cifar"], block: ["basic", "bottleneck"], kind: ["plain", "residual", "preactivation"],
    option: ["A", "B", "C"], stride: ["1x1", "3x3"],
  }),
  build,
} satisfies Explorer<Data, State, Words>;
