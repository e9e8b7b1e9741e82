// Inside a shortcut: the maps of one picture where a block changes dimensions, in recorded nets.
// Shortcut plus residual branch, then ReLU, is the output: added up here, channel by channel.
import { readoutOf } from "../shared/attention.ts";
import { choice, slider } from "../shared/controls.ts";
import { h } from "../shared/dom.ts";
import type { Explorer, Parts, Place } from "../shared/explorer.ts";
import { printedName } from "../shared/nets.ts";
import { pixels, pixelsCss, type Pixels } from "../shared/pixels.ts";
import { numberGate } from "../shared/predict.ts";
import type { Row } from "../shared/table.ts";
import { fill, listed, number, ofData } from "../shared/words.ts";
import css from "./shortcut.css";

interface Packed {
  scale: number;
  in_channels: number;
  channels: number;
  height: number;
  input: string;
  branch: string;
  shortcut?: string;
}

interface Net {
  option: string;
  net: string;
  run_id: string;
  weights: string;
  blocks: Record<string, Packed>;
}

interface Data {
  size: number;
  pixels: number[];
  source: string;
  options: string[];
  blocks: string[];
  nets: Net[];
}

type Part = "shortcut" | "branch" | "output";
const PARTS: Part[] = ["shortcut", "branch", "output"];

/** A block's maps, channel after channel. */
interface Maps extends Record<Part, Float64Array> {
  input: Float64Array;
  /** What is drawn at full strength: one value in two hundred is stronger. */
  strongest: number;
  height: number;
  channels: number;
  inChannels: number;
}

interface State {
  [key: string]: string | number | boolean;
  shown: boolean;
  option: string;
  block: string;
  channel: number;
  at: number;
}

/** Maps from their signed bytes; option A's shortcut from the input: every other pixel, then zeros. */
function unpack(block: Packed): Maps {
  const { height, channels } = block;
  // In hundredths, so that the sums that are shown add up.
  const hundredths = Array.from({ length: 256 }, (_, i) => Math.round(((i << 24) >> 24) * block.scale * 100) / 100);
  const values = (text: string) => Float64Array.from(atob(text), (letter) => hundredths[letter.charCodeAt(0)]);
  const input = values(block.input);
  const branch = values(block.branch);
  let shortcut: Float64Array;
  if (block.shortcut) shortcut = values(block.shortcut);
  else {
    shortcut = new Float64Array(channels * height * height);
    for (let c = 0; c < block.in_channels; c++)
      for (let row = 0; row < height; row++)
        for (let column = 0; column < height; column++)
          shortcut[(c * height + row) * height + column] = input[(c * 2 * height + 2 * row) * 2 * height + 2 * column];
  }
  const output = branch.map((each, i) => Math.max(0, each + shortcut[i]));
  const strongest = output.slice().sort()[Math.floor(output.length * 0.995)];
  return { input, branch, shortcut, output, strongest, height, channels, inChannels: block.in_channels };
}

function build({ root, data, view, t, texts, language }: Place<Data, State, Words>): Parts {
  const num = (value: number, decimals = 2) => number(value, decimals, language);
  let said: number | null = null;

  const netOf = (option: string) => data.nets.find((net) => net.option === option) ?? data.nets[0];
  const cache = new Map<string, Maps>();
  function mapsOf(net: Net, block: string): Maps {
    const key = `${net.run_id} ${block}`;
    if (!cache.has(key)) cache.set(key, unpack(net.blocks[block]));
    return cache.get(key)!;
  }
  function maps(): Maps {
    const net = netOf(view.state.option);
    return mapsOf(net, net.blocks[view.state.block] ? view.state.block : data.blocks[0]);
  }
  const channel = (now: Maps) => Math.min(now.channels, Math.max(1, Math.round(view.state.channel)));
  const mapOf = (now: Maps, part: Part, which: number) => {
    const area = now.height ** 2;
    return now[part].subarray((which - 1) * area, which * area);
  };
  const silent = (now: Maps) =>
    Array.from({ length: now.channels }, (_, i) => i + 1).filter((i) => mapOf(now, "shortcut", i).every((each) => each === 0));

  const ask = numberGate(texts, t.ask, t.unit, { min: 0, max: 32, whole: true }, (answer) => {
    said = answer;
    view.set({ shown: true });
  });
  const verdict = h("div", { class: "rnx-verdict" });
  const missing = data.options.filter((each) => !data.nets.some((net) => net.option === each));
  const options = data.options.map((value) => ({
    value, label: value, disabled: missing.includes(value), title: missing.includes(value) ? t.notRecorded : t.options[value as "A"],
  }));
  const option = choice(t.option, options, (value) => view.set({ option: value }));
  const block = choice(t.block, data.blocks.map((value) => ({ value, label: value.split(".")[0] })), (value) => view.set({ block: value, channel: 1, at: -1 }));
  const which = slider(t.channel, [1], (value) => view.set({ channel: value }));
  const photo = pixels(data.size, data.size, t.photo);
  photo.colours(data.pixels);

  // The sum, large.
  const signs: Record<Part, string> = { shortcut: "", branch: "+", output: "=" };
  const large = PARTS.map((part) => ({ part, caption: h("figcaption", {}), place: h("div", { class: "rnx-map" }), pixels: null as Pixels | null, frame: h("i", { class: "rnx-pixel" }) }));
  const sum = h(
    "div",
    { class: "rnx-sum", tabindex: 0, role: "slider", "aria-label": t.pixelLabel },
    ...large.flatMap(({ part, caption, place }) => [
      signs[part] && h("span", { class: "rnx-sign", "aria-hidden": "true" }, part === "output" ? `= ReLU` : signs[part]),
      h("figure", { class: "rnx-shot rnx-large" }, place, caption),
    ]),
  );
  const point = (event: PointerEvent, passing: boolean) => {
    const place = (event.target as Element).closest(".rnx-map");
    if (!place) return;
    const box = place.getBoundingClientRect();
    const side = maps().height;
    const at = (from: number, start: number, length: number) => Math.min(side - 1, Math.max(0, Math.floor(((from - start) / length) * side)));
    view.set({ at: at(event.clientY, box.top, box.height) * side + at(event.clientX, box.left, box.width) }, passing);
  };
  // As in a chart: where one lets go is chosen, and a finger that moves up or down scrolls the page.
  let finger: PointerEvent | null = null;
  sum.addEventListener("pointerdown", (event) => (finger = event.pointerType === "touch" ? event : null));
  sum.addEventListener("pointermove", (event) => {
    if (finger) {
      const [x, y] = [Math.abs(event.clientX - finger.clientX), Math.abs(event.clientY - finger.clientY)];
      if (x < 6 || x < y) return;
      finger = null;
    }
    point(event, true);
  });
  sum.addEventListener("pointerup", (event) => {
    finger = null;
    if (event.button === 0) point(event, false);
  });
  sum.addEventListener("pointercancel", () => (finger = null));
  sum.addEventListener("keydown", (event) => {
    const side = maps().height;
    const now = place(maps());
    const [row, column] = [Math.floor(now / side), now % side];
    const next: Record<string, [number, number]> = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      Home: [row, 0], End: [row, side - 1],
    };
    const to = next[event.key];
    if (!to) return;
    const inside = (each: number) => Math.min(side - 1, Math.max(0, each));
    view.set({ at: inside(to[0]) * side + inside(to[1]) });
    event.preventDefault();
  });
  const place = (now: Maps) => {
    const { at } = view.state;
    const side = now.height;
    return at >= 0 && at < side * side ? Math.round(at) : Math.floor(side / 2) * side + Math.floor(side / 2);
  };
  const { element: readout } = readoutOf(sum);

  // All channels, small: one picture a part, since two hundred would take longer than a frame.
  const sheets = PARTS.map((part) => {
    const frame = h("i", { class: "rnx-pixel" });
    const grid = h("div", { class: "rnx-sheet", onclick: (event: MouseEvent) => {
      const box = grid.getBoundingClientRect();
      const { columns, rows } = arrangement();
      const column = Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns));
      view.set({ channel: Math.min(rows - 1, Math.floor(((event.clientY - box.top) / box.height) * rows)) * columns + column + 1 });
    } });
    return { part, grid, frame, name: h("p", { class: "rnx-sheet-name" }) };
  });
  const wide = matchMedia("(min-width: 720px)");
  const arrangement = () => {
    const columns = wide.matches ? 16 : 8;
    return { columns, rows: Math.ceil(maps().channels / columns) };
  };
  let shownSheets = "";
  function drawSheets(now: Maps): void {
    const { columns, rows } = arrangement();
    const key = `${view.state.option} ${view.state.block} ${columns}`;
    const side = now.height;
    const place = side + 2; // with a line around it
    for (const { part, grid, frame, name } of sheets) {
      if (key !== shownSheets) {
        const sheet = pixels(columns * place, rows * place, fill(t.sheet, { part: t[part], count: now.channels }));
        const values = new Float64Array(columns * rows * place * place).fill(NaN);
        for (let c = 0; c < now.channels; c++) {
          const start = (Math.floor(c / columns) * place + 1) * columns * place + (c % columns) * place + 1;
          const map = mapOf(now, part, c + 1);
          for (let row = 0; row < side; row++) values.set(map.subarray(row * side, (row + 1) * side), start + row * columns * place);
        }
        sheet.signed(values, now.strongest);
        grid.replaceChildren(sheet.element, frame);
      }
      name.textContent = t[part];
      const [row, column] = [Math.floor((channel(now) - 1) / columns), (channel(now) - 1) % columns];
      frame.style.cssText = `left:${(column / columns) * 100}%;top:${(row / rows) * 100}%;width:${100 / columns}%;height:${100 / rows}%`;
    }
    shownSheets = key;
  }
  const rearrange = () => view.state.shown && data.nets.length && drawSheets(maps());
  wide.addEventListener("change", rearrange);

  const open = h(
    "div",
    {},
    h("div", { class: "rnx-controls" }, option.element, block.element),
    h("div", { class: "rnx-top" },
      h("figure", { class: "rnx-shot" }, photo.element, h("figcaption", {}, t.photo)),
      sum),
    readout,
    h("div", { class: "rnx-controls" }, which.element),
    ...sheets.map(({ grid, name }) => h("div", { class: "rnx-row" }, name, grid)),
  );
  const note = h("p", { class: "rnx-note" });
  const first = pixels(data.size, data.size, t.photo);
  first.colours(data.pixels);
  const opening = h("div", { class: "rnx-opening" }, h("figure", { class: "rnx-shot" }, first.element, h("figcaption", {}, t.photo)), ask.element);
  root.append(h("style", {}, pixelsCss, css), opening, verdict, open, note);

  function draw(): void {
    const { shown } = view.state;
    const net = netOf(view.state.option);
    opening.hidden = shown || !net;
    open.hidden = verdict.hidden = !shown || !net;
    note.textContent = [
      net ? fill(t.note, { net: printedName(net.net, texts), run: net.run_id, source: ofData(data.source, texts), step: num(net.blocks[view.state.block]?.scale ?? 0) }) : t.nothing,
      ...(missing.length ? [fill(t.missing, { options: listed(missing, texts) })] : []),
    ].join(texts.space);
    if (!shown || !net) return;
    const now = maps();
    drawVerdict();
    option.set(net.option);
    block.set(view.state.block);
    which.stops(Array.from({ length: now.channels }, (_, i) => i + 1));
    which.set(channel(now));
    const at = place(now);
    const side = now.height;
    for (const each of large) {
      if (!each.pixels || each.pixels.element.width !== side) {
        each.pixels = pixels(side, side);
        each.place.replaceChildren(each.pixels.element, each.frame);
      }
      const values = mapOf(now, each.part, channel(now));
      each.pixels.signed(values, now.strongest);
      each.caption.replaceChildren(t[each.part], h("b", {}, num(values[at])));
      each.frame.style.cssText = `left:${((at % side) / side) * 100}%;top:${(Math.floor(at / side) / side) * 100}%;width:${100 / side}%;height:${100 / side}%`;
    }
    const told = tell(now, at);
    sum.setAttribute("aria-valuenow", String(at));
    sum.setAttribute("aria-valuemin", "0");
    sum.setAttribute("aria-valuemax", String(side * side - 1));
    sum.setAttribute("aria-valuetext", told);
    readout.textContent = told;
    drawSheets(now);
  }

  function tell(now: Maps, at: number): string {
    const values = PARTS.map((part) => mapOf(now, part, channel(now))[at]);
    const nothing = silent(now).includes(channel(now));
    const words = {
      channel: channel(now), row: Math.floor(at / now.height) + 1, column: (at % now.height) + 1,
      shortcut: num(values[0]), branch: num(values[1]), output: num(values[2]),
    };
    return fill(t.pixel, words) + (nothing ? texts.space + t.silent : "");
  }

  function drawVerdict(): void {
    const first = data.nets.find((net) => net.option === "A");
    if (!first) return verdict.replaceChildren();
    const now = mapsOf(first, data.blocks[0]);
    const count = silent(now).length;
    const values = { count, channels: now.channels, carried: now.channels - count, inputs: now.inChannels };
    verdict.replaceChildren(
      h("p", {}, said === null ? "" : fill(t.youSaid, { value: num(said, 0) }) + texts.space, fill(t.answer, values)),
      h("p", {}, t.options[view.state.option as "A"] ?? ""),
    );
  }

  function rows(): Row[] {
    if (!data.nets.length) return [];
    const now = maps();
    const net = netOf(view.state.option);
    return Array.from(now.output, (output, i) => {
      const area = now.height ** 2;
      return {
        run_id: net.run_id, option: net.option, block: view.state.block, channel: Math.floor(i / area) + 1,
        row: Math.floor((i % area) / now.height) + 1, column: ((i % area) % now.height) + 1,
        shortcut: +now.shortcut[i].toFixed(2), branch: +now.branch[i].toFixed(2), output: +output.toFixed(2),
      };
    });
  }

  return { draw, rows, close: () => wide.removeEventListener("change", rearrange) };
}

type Words = typeof words;
const words = {
  question: "What passes through a shortcut when the dimensions change?",
  ask: "The first block of conv3_x gets 16 maps of 32x32 and returns 32 maps of 16x16. Under option A its shortcut has no weights. How many of the 32 maps that the shortcut hands on hold nothing but zeros?",
  unit: "of 32",
  youSaid: "You said {value}.",
  answer: "It is {count} of {channels}: under option A the {inputs} input maps fill the first {carried} channels, every second pixel of every second row; the others are zero, and there the output is the residual branch alone.",
  options: {
    A: "Option A: every second pixel of every second row; the new channels are zero. No parameters.",
    B: "Option B: a 1x1 convolution with stride 2, then BN: each channel of the shortcut is a mixture of all input maps.",
    C: "Option C: the same projection as option B here; option C has one on all other shortcuts, too.",
  },
  option: "Option",
  block: "First block of",
  channel: "Channel",
  photo: "the picture",
  shortcut: "shortcut",
  branch: "residual branch",
  output: "output",
  pixelLabel: "Pixel of the maps: arrow keys move it",
  pixel: "Channel {channel}, row {row}, column {column}: ReLU({shortcut}\u00a0+\u00a0{branch}) = {output}.",
  silent: "In this channel the shortcut carries nothing.",
  sheet: "{part}: the maps of all {count} channels",
  note: "Blue: above zero; orange: below; empty: zero; one scale for all maps of the block. Values are kept in steps of {step}. Net: {net} on CIFAR-10 (run {run}). Picture: {source}, reduced to 32x32.",
  missing: "Not recorded yet: option {options}.",
  notRecorded: "not recorded yet",
  nothing: "Not measured yet: the repository keeps the weights of no residual net on CIFAR-10.",
};

const zh: Words = {
  question: "维度改变时，捷径传过去的是什么？",
  ask: "conv3_x 的第一个块输入 16 张 32x32 的特征图，输出 32 张 16x16 的特征图。方案 A 的捷径没有权重。它传过去的 32 张特征图中，有几张全是零？",
  unit: "张（共 32 张）",
  youSaid: "你的预测：{value} 张。",
  answer: "{channels} 张中有 {count} 张：方案 A 把 {inputs} 张输入特征图隔点取样（每隔一行、每隔一列取一个像素），填入前 {carried} 个通道；其余的通道为零，那里的输出就只是残差分支。",
  options: {
    A: "方案 A：每隔一行、每隔一列取一个像素，新增的通道为零。没有参数。",
    B: "方案 B：步长为 2 的 1x1 卷积，然后 BN：捷径的每个通道都是所有输入特征图的混合。",
    C: "方案 C：这里与方案 B 是同样的投影；方案 C 的其他捷径上也都有投影。",
  },
  option: "方案",
  block: "第一个块，所在阶段",
  channel: "通道",
  photo: "图片",
  shortcut: "捷径",
  branch: "残差分支",
  output: "输出",
  pixelLabel: "特征图的像素：用方向键移动",
  pixel: "第 {channel} 通道，第 {row} 行第 {column} 列：ReLU({shortcut}\u00a0+\u00a0{branch}) = {output}。",
  silent: "在这个通道里，捷径什么也没有传。",
  sheet: "{part}：全部 {count} 个通道的特征图",
  note: "蓝色：大于零；橙色：小于零；空白：零；同一个块的特征图用同一标度。数值按 {step} 的间隔保存。网络：CIFAR-10 上的 {net}（运行 {run}）。图片：{source}，缩小到 32x32。",
  missing: "尚无记录：方案 {options}。",
  notRecorded: "尚无记录",
  nothing: "尚未测量：仓库中没有保存 CIFAR-10 残差网络的权重。",
};

export default {
  words: { en: words, zh },
  defaults: (data) => ({ shown: false, option: data.nets[0]?.option ?? "A", block: data.blocks[0], channel: 1, at: -1 }),
  choices: (data) => ({ option: data.nets.map((net) => net.option), block: data.blocks }),
  build,
} satisfies Explorer<Data, State, Words>;
