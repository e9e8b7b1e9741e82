// Crops: ten of them at each of several scales, what a recorded net says of each, and the average.
import { readoutOf } from "../shared/attention.ts";
import { button, choice, select, slider } from "../shared/controls.ts";
import { Chart, type Line, type Point } from "../shared/chart.ts";
import { h, s } from "../shared/dom.ts";
import type { Explorer, Parts, Place } from "../shared/explorer.ts";
import { printedName } from "../shared/nets.ts";
import { choiceGate } from "../shared/predict.ts";
import type { Row } from "../shared/table.ts";
import { fill, number, ofData } from "../shared/words.ts";
import css from "./crops.css";

interface Crop {
  left: number;
  top: number;
  mirrored: boolean;
  scores: number[];
}

/** A crop and the scale it is cut at. */
interface Cut {
  crop: Crop;
  scale: Scale;
}

interface Scale {
  side: number;
  height: number;
  width: number;
  crops: Crop[];
}

interface Net {
  net: string;
  run_id: string;
  weights: string;
  scales: Scale[];
}

interface Data {
  picture: { urls: Record<string, string>; height: number; width: number; source: string };
  classes: string[];
  truth: string;
  size: number;
  sides: number[];
  side: number; // shown first
  nets: Net[];
}

interface State {
  [key: string]: string | number | boolean;
  shown: boolean;
  net: string;
  scale: string; // the shorter side, or "all"
  count: number;
  one: number; // a crop that is looked at alone, or -1
}

const ALL = "all";
const COLOURS = ["residual", "plain", "green", "purple", "teal"];

function build({ root, data, view, t, texts, language }: Place<Data, State, Words>): Parts {
  const num = (value: number, decimals = 1) => number(value, decimals, language);
  const percent = (value: number) => `${num(value)}%`;
  let said: { answer: string; of: Averaged } | null = null; // the answer, and what was asked about
  const truth = () => data.classes.indexOf(data.truth);

  const net = () => data.nets.find((each) => each.run_id === view.state.net) ?? data.nets[0];
  /** The crops that are averaged, in the order in which they are added, and the averages so far. */
  interface Averaged {
    all: Cut[];
    means: number[][];
    leading: number[];
  }
  const cache = new Map<string, Averaged>();
  function averaged(): Averaged {
    const { scale: chosen } = view.state;
    const key = `${net().run_id} ${chosen}`;
    if (!cache.has(key)) {
      const scales = net().scales;
      const wanted = chosen === ALL ? scales : scales.filter((each) => String(each.side) === chosen);
      const all = (wanted.length ? wanted : scales.slice(0, 1)).flatMap((scale) => scale.crops.map((crop) => ({ crop, scale })));
      const sums = data.classes.map(() => 0);
      const means = all.map(({ crop }, i) => crop.scores.map((score, k) => (sums[k] += score) / (i + 1)));
      cache.set(key, { all, means, leading: leadingOf(means) });
    }
    return cache.get(key)!;
  }
  const crops = () => averaged().all;
  const count = () => Math.min(crops().length, Math.max(1, Math.round(view.state.count)));
  const alone = () => (view.state.one >= 0 && view.state.one < crops().length ? view.state.one : -1);
  const best = (scores: number[]) => scores.indexOf(Math.max(...scores));
  /** The right class, and those that lead at the end or at some point on the way. */
  function leadingOf(means: number[][]): number[] {
    const end = means.at(-1)!;
    const order = end.map((_, i) => i).sort((a, b) => end[b] - end[a]);
    const won = new Set(means.map(best));
    const first = [truth(), ...order.slice(0, 3), ...order.filter((i) => won.has(i))];
    return [...new Set(first)].slice(0, COLOURS.length);
  }

  /** A class has one colour in all views, but where two of a view would share one. */
  function coloursOf(lead: number[]): Map<number, string> {
    const found = new Map<number, string>();
    const free = new Set(COLOURS);
    for (const place of [...lead].sort((a, b) => ranks[a] - ranks[b])) {
      const usual = COLOURS[ranks[place] % COLOURS.length];
      const colour = free.has(usual) ? usual : [...free][0];
      free.delete(colour);
      found.set(place, `var(--rn-${colour})`);
    }
    return found;
  }
  /** The right class first, then by the score in all crops of all nets. */
  const ranks = ((): number[] => {
    const sums = data.classes.map((name) => (name === data.truth ? Infinity : 0));
    for (const { scales } of data.nets) {
      for (const { crops } of scales) for (const { scores } of crops) scores.forEach((score, i) => (sums[i] += score));
    }
    const order = sums.map((_, i) => i).sort((a, b) => sums[b] - sums[a]);
    return sums.map((_, i) => order.indexOf(i));
  })();

  // The question.
  const asked = data.nets.length ? averaged() : null;
  const first = asked?.all[0].crop;
  const gateFor = () => {
    const begun = { net: net().run_id, scale: view.state.scale, count: crops().length, one: -1 }; // what is asked about
    const shown = first!.scores.map((_, i) => i).sort((a, b) => first!.scores[b] - first!.scores[a]).slice(0, 4);
    const values = { net: printedName(net().net, texts), truth: t.names[data.truth as "cat"] ?? data.truth, told: shown.slice(0, 3).map((i) => `${className(i)} ${percent(first!.scores[i])}`).join(texts.comma) };
    // A score of nearly 100% cannot rise.
    const answers = first!.scores[truth()] > 99 ? (["same", "down", "far"] as const) : (["up", "same", "down"] as const);
    const labels = { ...t.answers, ...(answers[2] === "far" ? { down: t.little } : {}) };
    const options = answers.map((value) => ({ value, label: labels[value] }));
    return choiceGate(texts, fill(t.ask, values), options, (answer) => {
      said = answer === null ? null : { answer: labels[answer as "up"], of: asked! };
      view.set({ ...begun, shown: true });
    });
  };
  const className = (i: number) => t.names[data.classes[i] as "cat"] ?? data.classes[i];
  const ask = first ? gateFor().element : h("div", {});
  const verdict = h("div", { class: "rnx-verdict" });

  // The photograph with its crops.
  const boxes = s("svg", { class: "rnx-crops", viewBox: `0 0 ${data.picture.width} ${data.picture.height}`, role: "group", "aria-label": t.boxes });
  const image = h("img", { alt: t.alt, width: data.picture.width, height: data.picture.height });
  const photograph = h("div", { class: "rnx-photo", style: `aspect-ratio:${data.picture.width}/${data.picture.height}` }, image, boxes);
  const bars = h("div", { class: "rnx-scores" });
  const scales = [...data.sides.map(String).map((value) => ({ value, label: value })), { value: ALL, label: t.all }];
  const scale = choice(t.scale, scales, (value) => view.set({ scale: value, count: value === ALL ? 10 * data.sides.length : 10, one: -1 }));
  const add = slider(t.count, [1], (value) => view.set({ count: value, one: -1 }));
  const which = select(t.net, data.nets.map((each) => ({ value: each.run_id, label: printedName(each.net, texts) })), (value) => view.set({ net: value }));
  const chart = new Chart((at, passing) => (passing ? readOut(at) : view.set({ count: at, one: -1 })), () => readOut());
  const { element: readout } = readoutOf(chart.element);
  const title = h("b", {});
  const back = button(t.toAverage, () => {
    view.set({ one: -1 });
    add.element.querySelector("input")!.focus();
  }, "quiet");
  const list = h("div", { class: "rnx-cropbuttons", role: "group", "aria-label": t.boxes });
  const open = h(
    "div",
    {},
    h("div", { class: "rnx-controls" }, scale.element, data.nets.length > 1 ? which.element : null),
    h("div", { class: "rnx-two" }, h("div", {}, photograph, list), h("div", {}, h("p", { class: "rnx-scored" }, title, back), bars)),
    h("div", { class: "rnx-controls" }, add.element),
    readout,
    chart.element,
  );
  const note = h("p", { class: "rnx-note" });
  const stage = h("div", {});
  const opening = h("div", { class: "rnx-lookfirst" }, stage, ask);
  root.append(h("style", {}, css), opening, verdict, open, note);

  function draw(): void {
    const { shown } = view.state;
    const here = net();
    note.textContent = here ? fill(t.note, { net: printedName(here.net, texts), run: here.run_id, size: data.size, source: ofData(data.picture.source, texts) }) : t.nothing;
    open.hidden = verdict.hidden = !shown || !here;
    opening.hidden = shown || !here;
    if (!here) return;
    if (!shown) {
      if (photograph.parentElement !== stage) stage.append(photograph);
      drawBoxes(asked!.all.slice(0, 1), 0);
      return;
    }
    const home = open.querySelector(".rnx-two > div")!;
    if (photograph.parentElement !== home) home.prepend(photograph);
    const all = crops();
    scale.set(view.state.scale);
    which.set(here.run_id);
    add.stops(all.map((_, i) => i + 1));
    add.set(count());
    const one = alone();
    add.element.classList.toggle("rnx-aside", one >= 0);
    title.textContent = one >= 0 || count() === 1 ? fill(t.justOne, { crop: Math.max(one, 0) + 1 }) : fill(t.averageOf, { count: count() });
    back.hidden = one < 0;
    const used = all.slice(0, count());
    drawBoxes(one >= 0 ? all : used, one >= 0 ? one : used.length - 1, one >= 0);
    drawList(all, one);
    drawBars(one >= 0 ? all[one].crop.scores : averaged().means[used.length - 1]);
    drawChart(all);
    readOut();
    drawVerdict(all);
  }

  /** The picture has the pixels of which the marked crop is cut. */
  function drawBoxes(used: Cut[], marked: number, alone = false): void {
    const url = data.picture.urls[used[marked].scale.side];
    if (image.getAttribute("src") !== url) image.setAttribute("src", url);
    boxes.replaceChildren(
      ...used.flatMap(({ crop, scale }, i) => {
        if (alone && i !== marked) return [];
        const across = data.picture.width / scale.width;
        const down = data.picture.height / scale.height;
        const box = { x: crop.left * across, y: crop.top * down, width: data.size * across, height: data.size * down };
        const kind = `rnx-cut ${i === marked ? "rnx-cut-now" : ""} ${crop.mirrored ? "rnx-cut-mirrored" : ""}`;
        return [s("rect", { ...box, class: "rnx-cut-under", rx: 3 }), s("rect", { ...box, class: kind, rx: 3 })];
      }),
    );
  }

  let listed: Cut[] = [];
  function drawList(all: Cut[], one: number): void {
    if (listed !== all) {
      listed = all;
      list.replaceChildren(...all.map((each, i) => cropButton(each, i)));
    }
    [...list.children].forEach((each, i) => {
      each.classList.toggle("rnx-crop-out", i >= count());
      each.setAttribute("aria-pressed", String(i === one));
    });
  }

  function cropButton({ crop, scale }: Cut, i: number): HTMLElement {
    const at = best(crop.scores);
    const told = fill(t.crop, { crop: i + 1, side: scale.side, place: t.places[i % 5], mirrored: crop.mirrored ? t.mirrored : "", name: className(at), score: percent(crop.scores[at]) });
    return h("button", {
      type: "button", class: `rnx-crop ${at === truth() ? "" : "rnx-crop-wrong"}`, "aria-label": told, title: told, "data-crop": i,
      onclick: () => view.set({ one: view.state.one === i ? -1 : i }),
    }, String(i + 1));
  }

  function drawBars(scores: number[]): void {
    const lead = averaged().leading;
    const order = data.classes.length <= 10 ? data.classes.map((_, i) => i) : lead;
    const colours = coloursOf(lead);
    bars.replaceChildren(
      ...order.map((i) => {
        const colour = colours.get(i) ?? "var(--rnx-soft)";
        return h("div", { class: "rnx-score" },
          h("span", {}, className(i)),
          h("span", { class: "rnx-score-track" }, h("i", { style: `width:${scores[i]}%;background:${colour}` })),
          h(best(scores) === i ? "b" : "span", {}, percent(scores[i])));
      }),
    );
  }

  function drawChart(all: { crop: Crop }[]): void {
    const lead = averaged().leading;
    const { means } = averaged();
    const colours = coloursOf(lead);
    const lines: Line[] = lead.map((place) => ({
      name: data.classes[place], label: className(place), colour: colours.get(place)!, width: place === truth() ? 2.8 : 1.8,
      points: means.map((each, k): Point => [k + 1, each[place]]),
    }));
    chart.draw({
      label: t.chartLabel, xLabel: t.averaged, yLabel: t.score, x: [1, all.length], y: [0, 100], lines,
      stops: all.map((_, i) => i + 1), height: 230,
    });
  }

  /** Say what the crops score that are chosen, or so many as are pointed at. */
  function readOut(pointed = 0): void {
    const told = pointed ? tell(pointed, -1) : tell(count(), alone());
    chart.move(pointed || count(), told);
    readout.textContent = told;
  }

  function tell(used: number, one: number): string {
    const words = (scores: number[]) =>
      scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a]).slice(0, 3).filter((i, place) => !place || scores[i] >= 0.05).map((i) => `${className(i)} ${percent(scores[i])}`).join(texts.comma);
    if (one >= 0) {
      const { crop, scale } = crops()[one];
      return fill(t.alone, { crop: one + 1, place: t.places[one % 5], mirrored: crop.mirrored ? t.mirrored : "", side: scale.side, words: words(crop.scores) });
    }
    return fill(used === 1 ? t.oneAveraged : t.many, { count: used, words: words(averaged().means[used - 1]) });
  }

  function drawVerdict(all: { crop: Crop }[]): void {
    const i = truth();
    const end = averaged().means.at(-1)!;
    const ends = [all[0].crop.scores[i], end[i]];
    const each = all.map(({ crop }) => crop.scores[i]);
    const wrong = all.filter(({ crop }) => best(crop.scores) !== i).length;
    const right = best(end) === i;
    const values = {
      truth: className(i), first: percent(ends[0]), all: percent(ends[1]), count: all.length, wrong,
      low: percent(Math.min(...each)), high: percent(Math.max(...each)),
    };
    const moved = ends[1] > ends[0] + 1 ? "up" : ends[1] < ends[0] - 1 ? "down" : "same";
    const meaning = !right ? t.wrong : best(all[0].crop.scores) !== i || moved === "up" ? t.right : t.rightToo[moved];
    verdict.replaceChildren(
      h("p", {}, said?.of === averaged() ? fill(t.youSaid, { answer: said.answer.toLowerCase() }) + texts.space : "", fill(t.moved[moved], values)),
      h("p", {}, fill(t.spread, values), texts.space, meaning),
    );
  }

  function rows(): Row[] {
    if (!data.nets.length) return [];
    const here = net();
    return crops().flatMap(({ crop, scale }, i) =>
      crop.scores.map((score, k) => ({
        run_id: here.run_id, shorter_side: scale.side, crop: i + 1, left: crop.left, top: crop.top,
        mirrored: crop.mirrored ? 1 : 0, class: data.classes[k], score_percent: score,
      })),
    );
  }

  return { draw, rows, close: () => chart.close() };
}

type Words = typeof words;
const words = {
  question: "How far does an average over crops move a net's answer?",
  ask: "{net} looks at the centre crop of this photograph of a {truth} and says: {told}. Now average its scores over ten crops: centre and four corners, then the mirror images of all five. What happens to the score of {truth}?",
  answers: { up: "It rises", same: "It stays (within 1 point)", down: "It falls", far: "It falls by more than 10 points" },
  little: "It falls by up to 10 points",
  youSaid: "You said: {answer}.",
  moved: {
    up: "The score of {truth} rises from {first} (centre crop) to {all} (average of {count}).",
    same: "The score of {truth} stays: {first} (centre crop) and {all} (average of {count}).",
    down: "The score of {truth} falls from {first} (centre crop) to {all} (average of {count}).",
  },
  spread: "Single crops give it {low} to {high}; called something else: {wrong} of the {count}.",
  right: "The average names it rightly: single crops are noisy, and it evens them out.",
  rightToo: {
    same: "The average names it rightly, as surely as the centre crop alone.",
    down: "The average names it rightly, but less surely than the centre crop alone.",
  },
  wrong: "The average is wrong, too: it evens out noise, not what the net has not learned.",
  names: {
    airplane: "airplane", automobile: "automobile", bird: "bird", cat: "cat", deer: "deer",
    dog: "dog", frog: "frog", horse: "horse", ship: "ship", truck: "truck",
  },
  alt: "The head of a cat, close up",
  boxes: "Crops",
  scale: "Shorter side, pixels",
  all: "all",
  count: "Crops averaged:",
  net: "Net",
  places: ["centre", "top left", "top right", "bottom left", "bottom right"],
  mirrored: ", mirrored",
  crop: "Crop {crop} ({place}{mirrored}; shorter side {side}): {name} {score}",
  justOne: "Crop {crop} alone",
  averageOf: "Average of {count} crops",
  toAverage: "back to the average",
  alone: "Crop {crop} alone ({place}{mirrored}; shorter side {side}): {words}.",
  oneAveraged: "The first crop alone: {words}.",
  many: "Average of {count} crops: {words}.",
  chartLabel: "Average score over the number of crops: how many are averaged",
  averaged: "crops averaged",
  score: "score, %",
  note: "The paper averages ten crops of 224 pixels, and for its best results scores at shorter sides of 224, 256, 384, 480 and 640 (section 3.4). Here the same in proportion, for a net on {size} pixels: {net}, run {run}. The photograph has the pixels of which the net's crops are cut. Dashed boxes: mirrored crops; orange numbers: crops that are called something else. Photograph: {source}.",
  nothing: "Not measured yet: the repository keeps the weights of no net on CIFAR-10.",
};

const zh: Words = {
  question: "对多张裁剪图取平均，会使网络的回答改变多少？",
  ask: "这张照片的类别是“{truth}”。{net} 看了中心裁剪图，给出：{told}。现在对十张裁剪图的得分取平均：中心和四角，再加上这五张的镜像。“{truth}”的得分会怎样？",
  answers: { up: "升高", same: "不变（相差不到 1 个百分点）", down: "降低", far: "降低超过 10 个百分点" },
  little: "降低，但不超过 10 个百分点",
  youSaid: "你的预测：{answer}。",
  moved: {
    up: "“{truth}”的得分从 {first}（中心裁剪）升到 {all}（{count} 张的平均）。",
    same: "“{truth}”的得分不变：{first}（中心裁剪），{all}（{count} 张的平均）。",
    down: "“{truth}”的得分从 {first}（中心裁剪）降到 {all}（{count} 张的平均）。",
  },
  spread: "单张裁剪图给它的得分从 {low} 到 {high} 不等；{count} 张中有 {wrong} 张被认成别的类别。",
  right: "平均之后判断正确：单张裁剪图有噪声，平均把它抹平。",
  rightToo: {
    same: "平均之后判断正确，与只看中心裁剪图一样有把握。",
    down: "平均之后判断正确，但不如只看中心裁剪图有把握。",
  },
  wrong: "平均之后判断仍然错误：平均能抹平噪声，补不上网络没有学到的东西。",
  names: {
    airplane: "飞机", automobile: "汽车", bird: "鸟", cat: "猫", deer: "鹿",
    dog: "狗", frog: "青蛙", horse: "马", ship: "船", truck: "卡车",
  },
  alt: "猫的头部特写",
  boxes: "裁剪图",
  scale: "短边，像素",
  all: "全部",
  count: "取平均的裁剪图",
  net: "网络",
  places: ["中心", "左上", "右上", "左下", "右下"],
  mirrored: "，镜像",
  crop: "第 {crop} 张（{place}{mirrored}；短边 {side}）：{name} {score}",
  justOne: "只看第 {crop} 张",
  averageOf: "{count} 张的平均",
  toAverage: "回到平均",
  alone: "只看第 {crop} 张（{place}{mirrored}；短边 {side}）：{words}。",
  oneAveraged: "只看第一张：{words}。",
  many: "{count} 张裁剪图的平均：{words}。",
  chartLabel: "平均得分随裁剪图张数的变化：选择取平均的张数",
  averaged: "取平均的张数",
  score: "得分，%",
  note: "论文对十张 224 像素的裁剪图取平均；为得到最好的结果，还对短边为 224、256、384、480、640 时的得分取平均（3.4 节）。这里按同样的比例，用于输入 {size} 像素的网络：{net}，运行 {run}。照片按裁剪时的像素显示。虚线框：镜像的裁剪图；橙色编号：被认成别的类别。照片：{source}。",
  nothing: "尚未测量：仓库中没有保存 CIFAR-10 网络的权重。",
};

export default {
  words: { en: words, zh },
  defaults(data) {
    return { shown: false, net: data.nets[0]?.run_id ?? "", scale: String(data.side), count: 10, one: -1 };
  },
  choices: (data) => ({ net: data.nets.map((net) => net.run_id), scale: [...data.sides.map(String), ALL] }),
  build,
} satisfies Explorer<Data, State, Words>;
