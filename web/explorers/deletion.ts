// Delete a block: recorded nets without some of their blocks. One choice of blocks serves the plain
// and the residual net, since both lose the same recorded sets.
import { readoutOf } from "../shared/attention.ts";
import { button, select } from "../shared/controls.ts";
import { Chart, type Line, type Point } from "../shared/chart.ts";
import { h } from "../shared/dom.ts";
import type { Explorer, Parts, Place } from "../shared/explorer.ts";
import { printedName } from "../shared/nets.ts";
import { gate, guess } from "../shared/predict.ts";
import type { Row } from "../shared/table.ts";
import { fill, listed, number } from "../shared/words.ts";
import css from "./deletion.css";

interface Net {
  net: string;
  kind: "plain" | "residual";
  depth: number;
  seed: number;
  tier: string;
  data: string;
  iterations: number;
  run_id: string;
  weights: string;
  made_by: string;
  blocks: { name: string; response: number | null; error: number | null }[];
  images: number;
  intact: number | null;
  part: number;
  intact_part: number | null;
  sets: { blocks: number[]; error: number }[];
}

interface Data {
  nets: Net[];
  missing: string[];
}

interface State {
  [key: string]: string | number | boolean;
  shown: boolean;
  depth: number;
  deleted: string;
}

const MOST = 10;
const CHANCE = 90;

const sorted = (values: number[]) => [...values].sort((a, b) => a - b);
/** The middle value, or the mean of the two in the middle. */
function median(values: number[]): number {
  const all = sorted(values);
  return (all[Math.floor((all.length - 1) / 2)] + all[Math.ceil((all.length - 1) / 2)]) / 2;
}

function build({ root, data, view, t, texts, language }: Place<Data, State, Words>): Parts {
  const num = (value: number, decimals = 1) => number(value, decimals, language);
  const percent = (value: number) => `${num(value)}%`;
  const depths = [...new Set(data.nets.map((net) => net.depth))];
  let said: { errors: number[]; of: string } | null = null; // the answers, and the runs they are about

  /** The first seed of each kind at a depth, plain before residual. */
  const netsOf = (depth: number): Net[] =>
    (["plain", "residual"] as const).flatMap((kind) => data.nets.find((net) => net.depth === depth && net.kind === kind) ?? []);
  const nets = () => netsOf(view.state.depth);
  const runsOf = (some: Net[]) => some.map((net) => net.run_id).join();
  const name = (net: Net) => printedName(net.net, texts);
  const colour = (net: Net) => `var(--rn-${net.kind})`;
  const chosen = (): number[] => {
    const count = nets()[0]?.blocks.length ?? 0;
    const places = String(view.state.deleted).split(",").filter(Boolean).map(Number);
    return sorted([...new Set(places)].filter((i) => i >= 0 && i < count && nets()[0].blocks[i].error !== null));
  };
  const choose = (blocks: number[]) => view.set({ deleted: sorted(blocks).join(",") });
  const same = (a: number[], b: number[]) => a.length === b.length && a.every((each, i) => each === b[i]);

  /** A net's recorded error without these blocks, or null. */
  function errorOf(net: Net, blocks: number[]): number | null {
    if (blocks.length === 0) return net.intact;
    if (blocks.length === 1) return net.blocks[blocks[0]].error;
    return net.sets.find((each) => same(each.blocks, blocks))?.error ?? null;
  }
  /** All recorded errors of a net without so many blocks. */
  function errorsOf(net: Net, count: number): number[] {
    if (count === 0) return net.intact === null ? [] : [net.intact];
    if (count === 1) return net.blocks.flatMap((each) => each.error ?? []);
    return net.sets.filter((each) => each.blocks.length === count).map((each) => each.error);
  }
  /** Recorded sets of a size, the same for every net. */
  const setsOf = (count: number): number[][] =>
    count === 1
      ? nets()[0].blocks.flatMap((each, i) => (each.error === null ? [] : [[i]]))
      : count === 0 ? [[]] : nets()[0].sets.filter((each) => each.blocks.length === count).map((each) => each.blocks);

  // The question.
  const ask = h("div", {});
  const reveal = (errors: number[] | null) => {
    said = errors && { errors, of: asked };
    view.set({ shown: true });
  };
  function buildGate(): void {
    const guesses = nets().map((net) =>
      guess(texts, name(net), texts.percent, { min: 0, max: 100 }, () => frame.ready(guesses.every((each) => each.valid())), net.kind));
    const values = { intact: listed(nets().map((net) => `${name(net)} ${percent(net.intact!)}`), texts) };
    const frame = gate(
      texts,
      fill(t.ask, values),
      h("div", { class: "rnx-controls" }, ...guesses.map((each) => each.element)),
      () => reveal(guesses.map((each) => each.input.valueAsNumber)),
      () => reveal(null),
    );
    ask.replaceChildren(frame.element);
  }
  const verdict = h("div", { class: "rnx-verdict" });

  // The strip of blocks.
  const strip = h("div", { class: "rnx-delstrip", role: "group", "aria-label": t.stripLabel });
  const legend = h("p", { class: "rnx-note rnx-legend" });
  let built = "";
  let asked = "";
  let buttons: HTMLButtonElement[] = [];
  const ofBlock = h("p", { class: "rnx-note rnx-ofblock" });
  let pointed = -1;
  /** Show the numbers of the block that is pointed at or has the focus, else of the only one chosen. */
  function sayOf(block: number): void {
    pointed = block;
    const only = chosen().length === 1 ? chosen()[0] : -1;
    ofBlock.textContent = buttons[block < 0 ? only : block]?.getAttribute("aria-label") ?? t.pointAtBlock;
  }
  function buildStrip(): void {
    const now = nets();
    built = runsOf(now);
    const most = Math.max(...now.flatMap((net) => net.blocks.map((each) => each.response ?? 0)));
    const stages = new Map<string, HTMLElement>();
    buttons = [];
    now[0].blocks.forEach((block, i) => {
      const [stage, index] = block.name.split(".");
      if (!stages.has(stage)) {
        const row = h("div", { class: "rnx-delstage-blocks" });
        stages.set(stage, row);
        strip.append(h("div", { class: "rnx-delstage" }, h("p", { class: "rnx-delstage-name" }, stage), row));
      }
      const bars = now.map((net) => {
        const height = most ? ((net.blocks[i].response ?? 0) / most) * 100 : 0;
        return h("i", { style: `height:${height.toFixed(1)}%;background:${colour(net)}` });
      });
      const locked = block.error === null;
      const told = [
        fill(t.block, { stage, number: +index + 1 }),
        ...now.flatMap((net) => net.blocks[i].response === null ? [] : [fill(t.response, { net: name(net), value: num(net.blocks[i].response!, 2) })]),
        ...(locked ? [t.locked] : now.map((net) => fill(t.alone, { net: name(net), error: percent(net.blocks[i].error!) }))),
      ].join(texts.semicolon);
      const element = h(
        "button",
        {
          type: "button", class: `rnx-del ${locked ? "rnx-locked" : ""}`, "aria-pressed": "false", "aria-label": told, "data-block": i,
          onpointerenter: () => sayOf(i),
          onfocus: () => sayOf(i),
          onclick: () => {
            const blocks = chosen();
            if (locked) return;
            if (blocks.includes(i)) choose(blocks.filter((each) => each !== i));
            else if (blocks.length < MOST) choose([...blocks, i]);
          },
        },
        h("span", { class: "rnx-bars", "aria-hidden": "true" }, ...bars),
        h("span", { "aria-hidden": "true" }, String(+index + 1)),
      );
      buttons.push(element);
      stages.get(stage)!.append(element);
    });
    pointed = -1;
    legend.replaceChildren(
      fill(t.legend, { most: num(most, 2) }),
      ...now.flatMap((net, i) => [i ? texts.listComma : "", h("b", { style: `color:${colour(net)}` }, name(net))]),
      t.hatched,
      texts.space,
      t.marks,
    );
  }
  const focused = () => (root.getRootNode() as Document).activeElement;
  strip.addEventListener("focusout", () => sayOf(-1));
  strip.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType === "mouse") sayOf(buttons.indexOf(focused() as HTMLButtonElement)); // a finger leaves at once
  });
  // Arrow keys walk along the strip.
  strip.addEventListener("keydown", (event) => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };
    const by = steps[event.key];
    if (!by) return;
    buttons[buttons.indexOf(focused() as HTMLButtonElement) + by]?.focus();
    event.preventDefault();
  });

  // The errors now.
  const bars = h("div", { class: "rnx-errors" });
  const another = button("", () => {
    const sets = setsOf(Math.max(1, chosen().length));
    const at = sets.findIndex((each) => same(each, chosen()));
    choose(sets[(at + 1) % sets.length]);
  });
  const nearest = button(t.nearest, () => {
    const shared = (set: number[]) => set.filter((each) => chosen().includes(each)).length;
    choose(setsOf(chosen().length).reduce((best, each) => (shared(each) > shared(best) ? each : best)));
  });
  const all = button(t.back, () => choose([]), "quiet");
  const chart = new Chart((count, passing) => {
    if (passing) readOut(count);
    else if (count !== chosen().length && setsOf(count).length) choose(setsOf(count)[0]);
  }, () => readOut());
  const { element: readout } = readoutOf(chart.element);
  const depth = select(t.depth, depths.map((each) => ({ value: String(each), label: String(each) })), (value) => view.set({ depth: +value, deleted: "" }));
  const open = h(
    "div",
    {},
    strip, ofBlock, legend, bars, readout,
    h("p", { class: "rnx-actions" }, another, nearest, all),
    chart.element,
    depths.length > 1 ? h("div", { class: "rnx-controls" }, depth.element) : null,
  );
  const note = h("p", { class: "rnx-note" });
  root.append(h("style", {}, css), ask, verdict, open, note);

  function draw(): void {
    const now = nets();
    if (!now.length && depths.length) throw new RangeError(`no net of ${view.state.depth} layers`);
    if (!now.length) {
      note.textContent = t.nothing;
      open.hidden = ask.hidden = true;
      return;
    }
    const { shown } = view.state;
    const these = runsOf(now);
    if (built !== these) {
      strip.replaceChildren();
      buildStrip();
    }
    if (!shown && asked !== these) {
      asked = these;
      buildGate();
    }
    ask.hidden = shown;
    open.hidden = verdict.hidden = !shown;
    note.textContent = [
      fill(t.credit, {}),
      fill(t.images, { data: t.data[now[0].data as "cifar10"] ?? now[0].data, images: num(now[0].images, 0), part: num(now[0].part, 0), iterations: num(now[0].iterations, 0) }),
      ...(data.missing.length ? [fill(t.missing, { nets: listed(data.missing.map((each) => printedName(each, texts)), texts) })] : []),
    ].join(texts.space);
    if (!shown) return;
    drawVerdict(now);
    const blocks = chosen();
    const full = blocks.length >= MOST;
    buttons.forEach((each, i) => {
      const locked = now[0].blocks[i].error === null;
      each.setAttribute("aria-pressed", String(blocks.includes(i)));
      each.setAttribute("aria-disabled", String(locked || (full && !blocks.includes(i))));
    });
    depth.set(String(view.state.depth));
    sayOf(pointed);
    drawErrors(now, blocks);
    drawChart(now);
    readOut();
    another.textContent = fill([t.one, t.anotherOne][blocks.length] ?? t.another, { count: blocks.length });
    const pressed = focused();
    all.disabled = !blocks.length;
    nearest.hidden = errorOf(now[0], blocks) !== null || !setsOf(blocks.length).length;
    // Not back to the page's beginning.
    if ((pressed === nearest && nearest.hidden) || (pressed === all && all.disabled)) another.focus();
  }

  /** Say what the chosen blocks do, or so many as are pointed at, if they are not as many. */
  function readOut(pointed = chosen().length): void {
    const [now, blocks] = [nets(), chosen()];
    const full = blocks.length >= MOST ? texts.space + fill(t.most, { count: MOST }) : "";
    const text = pointed === blocks.length ? told(now, blocks) + full : toldOfCount(now, pointed);
    chart.move(pointed, text);
    readout.textContent = text;
  }

  function drawVerdict(now: Net[]): void {
    const middles = now.map((net) => median(errorsOf(net, 1)));
    const lines = now.map((net, i) => {
      const values = { net: name(net), intact: percent(net.intact!), median: percent(middles[i]), low: percent(Math.min(...errorsOf(net, 1))), high: percent(Math.max(...errorsOf(net, 1))) };
      return h("p", {}, fill(t.median, values), said?.of === runsOf(now) ? texts.space + fill(t.youSaid, { value: num(said.errors[i]) }) : "");
    });
    const rise = now.map((net, i) => middles[i] - net.intact!);
    const meaning = now.length < 2 ? "" : rise[0] > 2 * rise[1] ? t.meaning.plain : rise[1] > 2 * rise[0] ? t.meaning.residual : t.meaning.both;
    verdict.replaceChildren(...lines, ...(meaning ? [h("p", {}, meaning)] : []));
  }

  const span = (low: number, high: number) =>
    percent(low) === percent(high) ? percent(low) : `${num(low)}\u2013${percent(high)}`;

  function drawErrors(now: Net[], blocks: number[]): void {
    bars.replaceChildren(
      ...now.map((net) => {
        const error = errorOf(net, blocks);
        const others = errorsOf(net, blocks.length);
        const range = error === null && others.length ? [Math.min(...others), Math.max(...others)] : null;
        const bar = error !== null
          ? h("i", { class: "rnx-errorbar", style: `width:${error}%;background:${colour(net)}` })
          : range && h("i", { class: "rnx-errorbar rnx-errorbar-range", style: `left:${range[0]}%;width:${Math.max(0.6, range[1] - range[0])}%;background:${colour(net)}` });
        const text = error !== null ? percent(error) : range ? span(range[0], range[1]) : t.unknown;
        return h("div", { class: "rnx-error" },
          h("span", { class: "rnx-del-error-name", style: `color:${colour(net)}` }, name(net)),
          h("span", { class: "rnx-track" }, bar,
            h("i", { class: "rnx-mark", style: `left:${net.intact}%`, title: fill(t.intactMark, { error: percent(net.intact!) }) }),
            h("i", { class: "rnx-mark rnx-mark-chance", style: `left:${CHANCE}%`, title: t.chance })),
          h("b", { class: "rnx-del-error-value" }, text));
      }),
    );
  }

  function drawChart(now: Net[]): void {
    const counts = Array.from({ length: MOST + 1 }, (_, i) => i).filter((i) => errorsOf(now[0], i).length);
    const lines: Line[] = now.map((net) => ({
      name: net.run_id,
      label: name(net),
      colour: colour(net),
      width: 2.4,
      points: counts.map((i): Point => [i, median(errorsOf(net, i))]),
      band: counts.map((i) => [i, Math.min(...errorsOf(net, i)), Math.max(...errorsOf(net, i))]),
    }));
    chart.draw({
      label: t.chartLabel, xLabel: t.count, yLabel: t.error, x: [0, counts.at(-1) ?? MOST], y: [0, 100], lines,
      stops: counts, height: 240, rules: [{ y: CHANCE, label: t.chance, colour: "var(--rnx-soft)" }],
    });
  }

  /** Blocks by stage, counted from 1: "conv2_x 2 and 5, conv3_x 3". */
  function namesOf(net: Net, blocks: number[]): string {
    const stages = new Map<string, string[]>();
    for (const i of blocks) {
      const [stage, index] = net.blocks[i].name.split(".");
      stages.set(stage, [...(stages.get(stage) ?? []), String(+index + 1)]);
    }
    return [...stages].map(([stage, numbers]) => fill(t.several, { stage, numbers: listed(numbers, texts) })).join(texts.comma);
  }

  function toldOfCount(now: Net[], count: number): string {
    const each = now.map((net) => {
      const errors = errorsOf(net, count);
      return fill(t.spread, { net: name(net), median: percent(median(errors)), range: span(Math.min(...errors), Math.max(...errors)) });
    });
    return fill(t.ofCount, { count, errors: listed(each, texts) });
  }

  function told(now: Net[], blocks: number[]): string {
    const begin = blocks.length ? fill(t.without, { blocks: namesOf(now[0], blocks) }) : t.whole;
    if (errorOf(now[0], blocks) !== null) {
      const each = now.map((net) => `${name(net)} ${percent(errorOf(net, blocks)!)}`);
      return fill(t.measured, { begin, errors: listed(each, texts) });
    }
    const each = now.map((net) => {
      const errors = errorsOf(net, blocks.length);
      return errors.length ? `${name(net)} ${span(Math.min(...errors), Math.max(...errors))}` : "";
    });
    if (!each.filter(Boolean).length) return fill(t.measured, { begin, errors: t.unknown });
    const values = { count: blocks.length, sets: setsOf(blocks.length).length, errors: listed(each, texts) };
    return begin + texts.space + fill(t.notThis, values);
  }

  function rows(): Row[] {
    return nets().flatMap((net) => {
      const row = (blocks: number[], images: number, error: number | null) => ({
        run_id: net.run_id, weights: net.weights, model: net.net, deleted: blocks.length,
        blocks: blocks.map((i) => net.blocks[i].name).join(" "), images, top1_error: error,
      });
      return [
        row([], net.images, net.intact),
        ...net.blocks.flatMap((each, i) => (each.error === null ? [] : [row([i], net.images, each.error)])),
        ...net.sets.map((each) => row(each.blocks, net.part, each.error)),
      ];
    });
  }

  return { draw, rows, close: () => chart.close() };
}

type Words = typeof words;
const words = {
  question: "Does every block matter?",
  ask: "Two trained nets, both made of blocks of two layers; their test errors: {intact}. Take one block out, without training again: its input goes straight to the next block. Do so with each block in turn that can go. What is the test error then, in the median?",
  youSaid: "You said {value}%.",
  median: "{net}: {intact} intact; with one block removed, a median of {median} ({low} to {high}).",
  meaning: {
    plain: "Each layer of the plain net was trained on what the one before hands it: without the block, the next gets something it has never seen. In the residual net the input of the block still arrives; what is lost is only what the block added to it.",
    residual: "In these runs it is the residual net that suffers more from losing a block.",
    both: "In these runs the loss of a block hurts both nets by a similar amount.",
  },
  stripLabel: "Blocks: press to delete, press again to put back",
  block: "{stage}, block {number}",
  several: "{stage} {numbers}",
  response: "response of {net} {value}",
  alone: "{net} without it {error}",
  locked: "it changes the dimensions and cannot be deleted",
  pointAtBlock: "Point at a block, tap it, or walk to it with the arrow keys: its numbers stand here.",
  legend: "Press blocks to delete them. Bars: standard deviation of the last layer's response (after BN, before the addition; the highest: {most}), ",
  hatched: ". Hatched blocks change the dimensions and must stay.",
  marks: "In the bars of the errors: all blocks in place (line), guessing (dotted).",
  intactMark: "intact: {error}",
  chance: "guessing",
  unknown: "not measured",
  whole: "All blocks in place:",
  without: "Without {blocks}:",
  measured: "{begin} {errors}.",
  most: "At most {count} blocks can go.",
  ofCount: "Blocks deleted: {count}. Median (lowest to highest): {errors}.",
  spread: "{net} {median} ({range})",
  notThis: "this set of {count} was not measured; the {sets} recorded sets of {count} have errors of {errors}.",
  one: "A single block",
  anotherOne: "Another single block",
  another: "Another recorded set of {count}",
  nearest: "Nearest recorded set",
  back: "Put all back",
  depth: "Depth",
  chartLabel: "Test error over the number of deleted blocks: how many are deleted",
  count: "blocks deleted",
  error: "test error, %",
  credit: "Deleting blocks from trained nets is the idea of Veit, Wilber and Belongie (2016).",
  images: "{data}, nets trained for {iterations} iterations. Single blocks: all {images} test images; sets of blocks, drawn at random, the same for both nets: {part} of them. Lines: median; bands: lowest to highest.",
  data: { cifar10: "CIFAR-10", embedded: "Fashion-MNIST" },
  missing: "Not measured yet: {nets}.",
  nothing: "Not measured yet: no recorded net has been measured without some of its blocks.",
};

const zh: Words = {
  question: "每个块都少不了吗？",
  ask: "两个训练好的网络，都由两层的块组成；测试误差：{intact}。去掉一个块，不再训练：它的输入直接传给下一个块。能去掉的块，逐个这样试一遍。这时测试误差的中位数是多少？",
  youSaid: "你的预测：{value}%。",
  median: "{net}：完整时 {intact}；去掉一个块，中位数为 {median}（{low} 到 {high}）。",
  meaning: {
    plain: "普通网络的每一层，都是在前一层给它的输出上训练的：少了一个块，下一个块得到的就是从未见过的东西。残差网络中，那个块的输入仍然传到；失去的只是它加上去的部分。",
    residual: "在这些训练中，少一个块，反而是残差网络受损更大。",
    both: "在这些训练中，少一个块，两个网络受损差不多。",
  },
  stripLabel: "块：按一下去掉，再按一下放回",
  block: "{stage} 第 {number} 块",
  several: "{stage} 第 {numbers} 块",
  response: "{net} 的响应 {value}",
  alone: "去掉它，{net} 为 {error}",
  locked: "它改变维度，不能去掉",
  pointAtBlock: "指向或点按一个块，或用方向键移到它上面，这里就会显示它的数值。",
  legend: "点按一个块即可去掉它。竖条：块中最后一层的响应（BN 之后、相加之前）的标准差（最高的一条为 {most}），",
  hatched: "。斜纹的块改变维度，必须保留。",
  marks: "误差条中：实线为全部块都在时的误差，点线为随机猜测。",
  intactMark: "完整时：{error}",
  chance: "随机猜测",
  unknown: "未测量",
  whole: "所有块都在：",
  without: "去掉 {blocks}：",
  measured: "{begin}{errors}。",
  most: "最多去掉 {count} 个块。",
  ofCount: "去掉的块数：{count}。中位数（最低到最高）：{errors}。",
  spread: "{net} {median}（{range}）",
  notThis: "这一组（{count} 个块）没有测量过；有记录的 {sets} 组（各 {count} 个块），误差为 {errors}。",
  one: "任选一个块",
  anotherOne: "换一个块",
  another: "换一组有记录的 {count} 个块",
  nearest: "最接近的有记录的一组",
  back: "全部放回",
  depth: "深度",
  chartLabel: "测试误差随去掉的块数的变化：选择去掉几个块",
  count: "去掉的块数",
  error: "测试误差，%",
  credit: "从训练好的网络中去掉块，是 Veit、Wilber 和 Belongie（2016）的想法。",
  images: "{data}，网络训练时迭代 {iterations} 次。单个块：用全部 {images} 张测试图像；多个块（随机抽取，两个网络相同）：用其中 {part} 张。线：中位数；色带：最低到最高。",
  data: { cifar10: "CIFAR-10", embedded: "Fashion-MNIST" },
  missing: "尚未测量：{nets}。",
  nothing: "尚未测量：还没有网络做过去掉块的测试。",
};

export default {
  words: { en: words, zh },
  defaults(data) {
    const both = data.nets.find((net) => data.nets.some((other) => other.depth === net.depth && other.kind !== net.kind));
    return { shown: false, depth: (both ?? data.nets[0])?.depth ?? 0, deleted: "" };
  },
  build,
} satisfies Explorer<Data, State, Words>;
