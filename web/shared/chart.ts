// One chart for all explorers: lines with bands over a horizontal axis, read by pointer or arrow
// keys, and a sketch that the reader draws into it. d3 makes scales, axes and shapes.
import { axisBottom, axisLeft } from "d3-axis";
import { scaleLinear, scaleLog, type ScaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { area, line } from "d3-shape";
import { enlarged } from "./attention.ts";
import { nearest } from "./controls.ts";
import { h, onWidth, s, uniqueId } from "./dom.ts";
import { number } from "./words.ts";

type Scale = ScaleLinear<number, number>;
export type Point = [x: number, y: number];

export interface Line {
  name: string;
  points: Point[];
  /** A CSS colour, such as var(--rn-plain). */
  colour: string;
  dash?: string;
  width?: number;
  opacity?: number;
  /** Written at the line's right end; where there is no room for it, in the key below the chart. */
  label?: string;
  /** From the lowest to the highest value at each x. */
  band?: [x: number, low: number, high: number][];
  /** Grows from left to right when it is first shown. */
  fresh?: boolean;
}

export interface Rule {
  y: number;
  label: string;
  colour: string;
}

/** What the reader draws: a value for each x, null where there is none yet. */
export interface Sketch {
  /** What is drawn, and a place of it with its value, for screen readers. */
  name: string;
  told(x: number, y: number | null): string;
  xs: number[];
  ys: (number | null)[];
  /** Where the keyboard begins. */
  start: number[];
  step: number;
  /** Written into the chart until the reader begins. */
  invitation: string;
  /** Written at the end of the sketch. */
  label: string;
  change(ys: (number | null)[]): void;
}

export interface Drawing {
  label: string;
  xLabel: string;
  yLabel: string;
  x: [number, number];
  y: [number, number];
  log?: boolean;
  lines: Line[];
  rules?: Rule[];
  sketch?: Sketch;
  /** The x that is read out, one of `stops`; and its text for screen readers. */
  at?: number;
  stops?: number[];
  valueText?: string;
  /** The id of an element that says how to use the chart. */
  help?: string;
  height?: number;
  xFormat?: (x: number) => string;
  yFormat?: (y: number) => string;
  /** Ticks of the horizontal axis; a narrow chart leaves some out. */
  xTicks?: number[];
}

const MARGIN = { top: 26, bottom: 38, left: 40 };
const GAP = 14; // from one label to the next below it
const MOST_MARGIN = 0.4; // of the chart's width, for the labels on its right
const CROWD = 5; // from so many labels on there is room for leaders to those that make way
const LEADER = 14;

const FONT = '600 12px system-ui, -apple-system, "Segoe UI", sans-serif'; // of .rnx-end
let ruler: CanvasRenderingContext2D | undefined;

/** How wide a label is, in pixels. */
function widthOf(label: string): number {
  ruler ??= h("canvas").getContext("2d")!;
  ruler.font = FONT;
  return Math.ceil(ruler.measureText(label).width);
}

/** A label that wants to stand at a height, right of a line's end. */
interface Label {
  line: Line;
  x: number;
  y: number;
  length: number;
  /** The height at which the line ends. */
  end: number;
}

export class Chart {
  /** What is drawn, which takes the pointer and the keys, and below it the key. */
  readonly element: HTMLElement;
  private readonly pad: HTMLElement;
  private readonly key = h("ul", { class: "rnx-key", "aria-hidden": "true" });
  private readonly svg = s("svg", { class: "rnx-svg", "aria-hidden": "true" });
  private drawing: Drawing | null = null;
  private width = 0;
  /** How much larger than drawn it is shown: as much as the page's text. */
  private scale = 1;
  private handle = 0;
  private held: number | null = null;
  /** Where a finger came down that has not said yet whether it scrolls the page or uses the chart. */
  private finger: Point | null = null;
  private pressed = false;
  private seen = new Set<string>();
  private pointer: SVGGElement = s("g");
  private clip = uniqueId();
  private scales: { x: Scale; y: Scale } = { x: scaleLinear(), y: scaleLinear() };
  /** Ends the watch over the width. */
  readonly close: () => void;

  /** onAt: hears the x that the reader steps to, or (passing) points at; onLeave: that they no longer
   * point at any. */
  constructor(
    private readonly onAt: (x: number, passing: boolean) => void = () => {},
    onLeave: () => void = () => {},
  ) {
    this.pad = h("div", { class: "rnx-chart", tabindex: 0, role: "slider" }, this.svg);
    this.element = h("div", {}, this.pad, this.key);
    this.pad.addEventListener("pointerdown", (event) => this.press(event));
    this.pad.addEventListener("pointermove", (event) => this.pass(event));
    this.pad.addEventListener("pointerup", (event) => this.lift(event));
    this.pad.addEventListener("pointercancel", () => this.rest());
    this.pad.addEventListener("pointerleave", onLeave);
    this.pad.addEventListener("keydown", (event) => this.step(event));
    this.close = onWidth(this.pad, (width) => {
      if (width && Math.floor(width) !== this.width) this.draw();
    });
  }

  /** Show a drawing; without one, show the last one again. */
  draw(drawing: Drawing | null = this.drawing): void {
    this.drawing = drawing;
    this.width = Math.floor(this.pad.clientWidth);
    if (!drawing || !this.width) return;
    this.scale = enlarged(this.pad);
    const width = this.width / this.scale;
    const height = drawing.height ?? Math.round(Math.max(250, Math.min(380, width * 0.52)));
    const labels = [...drawing.lines.map((each) => each.label ?? ""), drawing.sketch?.label ?? ""];
    const most = MOST_MARGIN * width - 12;
    const widths = labels.map(widthOf).filter((each) => each && each <= most);
    const room = Math.max(0, ...widths);
    const leader = widths.length < CROWD ? 0 : LEADER;
    const right = Math.max(24, 12 + room + leader); // a last tick's half stands out
    const x = scaleLinear(drawing.x, [MARGIN.left, width - right]);
    const make = drawing.log ? scaleLog : scaleLinear;
    const y = make(drawing.y, [height - MARGIN.bottom, MARGIN.top]) as Scale;
    this.scales = { x, y };
    this.svg.setAttribute("width", String(this.width));
    this.svg.setAttribute("height", String(height * this.scale));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren();
    this.describe(drawing);
    this.axes(drawing, width, height, right);
    const inside = s("g", { "clip-path": `url(#${this.clip})` });
    const frame = { x: MARGIN.left, y: 0, width: width - right - MARGIN.left, height: height - MARGIN.bottom };
    const defs = s("defs", {}, s("clipPath", { id: this.clip }, s("rect", frame)));
    this.svg.append(defs, inside);
    const named = this.rules(drawing, inside, width - right);
    this.lines(drawing, inside);
    inside.append(...named); // above the lines, too
    this.labels(drawing, width - right, room, leader, height);
    this.pointer = s("g");
    inside.append(this.pointer);
    if (drawing.sketch) this.sketch(drawing.sketch, inside, height);
    else this.cursor(drawing);
  }

  /** Read out another x and change nothing else. */
  move(at: number, valueText: string): void {
    if (!this.drawing) return;
    Object.assign(this.drawing, { at, valueText });
    this.describe(this.drawing);
    this.cursor(this.drawing);
  }

  private describe(drawing: Drawing): void {
    const { pad } = this;
    const stops = drawing.sketch?.xs ?? drawing.stops ?? [];
    const now = drawing.sketch ? stops[this.handle] : drawing.at;
    const text = drawing.sketch
      ? drawing.sketch.told(stops[this.handle], drawing.sketch.ys[this.handle])
      : drawing.valueText;
    pad.setAttribute("aria-label", drawing.sketch?.name ?? drawing.label);
    if (drawing.help) pad.setAttribute("aria-describedby", drawing.help);
    else pad.removeAttribute("aria-describedby");
    pad.setAttribute("aria-valuemin", String(stops[0] ?? 0));
    pad.setAttribute("aria-valuemax", String(stops.at(-1) ?? 0));
    pad.setAttribute("aria-valuenow", String(now ?? stops[0] ?? 0));
    pad.setAttribute("aria-valuetext", text ?? "");
    pad.classList.toggle("rnx-sketching", Boolean(drawing.sketch));
  }

  private axes(drawing: Drawing, width: number, height: number, right: number): void {
    const { x, y } = this.scales;
    const xAxis = axisBottom(x)
      .ticks(Math.max(2, Math.min(8, Math.floor((width - right) / 80))))
      .tickFormat((value) => (drawing.xFormat ?? number)(Number(value)))
      .tickSizeOuter(0);
    const ticks = drawing.xTicks;
    if (ticks) xAxis.tickValues(ticks.filter((_, i) => i % (width < 200 ? 4 : width < 480 ? 2 : 1) === 0));
    const yAxis = axisLeft(y).ticks(5).tickSize(-(width - right - MARGIN.left)).tickSizeOuter(0);
    if (drawing.log) yAxis.tickValues(logTicks(drawing.y));
    yAxis.tickFormat((value) => (drawing.yFormat ?? ((v: number) => number(v, v < 1 && v > 0 ? 1 : 0)))(Number(value)));
    const bottom = s("g", { class: "rnx-axis", transform: `translate(0,${height - MARGIN.bottom})` });
    const left = s("g", { class: "rnx-axis rnx-grid", transform: `translate(${MARGIN.left},0)` });
    select(bottom as SVGGElement).call(xAxis);
    select(left as SVGGElement).call(yAxis);
    const middle = (MARGIN.left + width - right) / 2;
    const xName = s("text", { class: "rnx-label", x: middle, y: height - 4, "text-anchor": "middle" }, drawing.xLabel);
    const yName = s("text", { class: "rnx-label", x: 2, y: 11 }, drawing.yLabel);
    this.svg.append(left, bottom, xName, yName);
  }

  /** Draws the rules and gives their names, which lie above all that comes: on the left, or where
   * fewer lines and bands run behind them. */
  private rules(drawing: Drawing, inside: Element, end: number): Element[] {
    const labels: Element[] = [];
    const rules = (drawing.rules ?? []).map((rule) => ({ ...rule, at: this.scales.y(rule.y), y: this.scales.y(rule.y) - 4 }));
    for (const { at, colour } of rules) {
      inside.append(s("line", { class: "rnx-rule", x1: MARGIN.left, x2: end, y1: at, y2: at, style: `stroke:${colour}` }));
    }
    for (const rule of spread(rules, MARGIN.top, this.scales.y.range()[0] - 4)) {
      const { y } = rule;
      const length = widthOf(rule.label);
      const [left, right] = [MARGIN.left + 6, end - 6 - length].map((x) => ({ x, behind: this.behind(drawing, x, y, length) }));
      const { x } = right.behind < left.behind ? right : left;
      labels.push(s("text", { class: "rnx-rule-label", x, y, style: `fill:${rule.colour}` }, rule.label));
    }
    return labels;
  }

  /** How much of the lines and bands runs behind a label. */
  private behind({ lines }: Drawing, left: number, y: number, length: number): number {
    const { scales } = this;
    const places = [0, 0.25, 0.5, 0.75, 1].map((share) => scales.x.invert(left + share * length));
    return lines.flatMap(({ points, band = [] }) => [points, band.map(([x, low]): Point => [x, low]), band.map(([x, , high]): Point => [x, high])])
      .flatMap((edge) => places.flatMap((place) => between(edge, place) ?? []))
      .filter((value) => Math.abs(scales.y(value) - (y - 4)) < 6).length;
  }

  private lines(drawing: Drawing, inside: Element): void {
    const { x, y } = this.scales;
    const floor = drawing.log ? drawing.y[0] : -Infinity;
    const low = (value: number) => y(Math.max(value, floor));
    const path = line<Point>((p) => x(p[0]), (p) => low(p[1])).digits(1);
    const shade = area<[number, number, number]>((p) => x(p[0]), (p) => low(p[1]), (p) => low(p[2])).digits(1);
    const most = 12_000 / Math.max(30, drawing.lines.length); // points a line: to answer within a frame
    for (const each of drawing.lines) {
      const fresh = each.fresh && !this.seen.has(each.name);
      this.seen.add(each.name);
      const kind = fresh ? "rnx-fresh" : "";
      if (each.band?.length) {
        inside.append(s("path", { class: `rnx-band ${kind}`, d: shade(thin(each.band, most)), style: `fill:${each.colour}` }));
      }
      inside.append(
        s("path", {
          class: `rnx-line ${kind}`,
          d: path(thin(each.points, most)),
          "data-line": each.name,
          "stroke-dasharray": each.dash,
          "stroke-width": each.width ?? 2,
          opacity: each.opacity,
          style: `stroke:${each.colour}`,
        }),
      );
    }
    const shown = new Set(drawing.lines.map((each) => each.name));
    for (const name of this.seen) if (!shown.has(name)) this.seen.delete(name);
  }

  /** The names at the lines' right ends, moved apart where they would overlap; those for which there
   * is no place stand in the key. room: how long a name in the margin can be; leader: how wide a
   * leader is that goes before it. */
  private labels(drawing: Drawing, edge: number, room: number, leader: number, height: number): void {
    const { x, y } = this.scales;
    const floor = drawing.log ? drawing.y[0] : -Infinity;
    const unplaced: Line[] = [];
    const wanted: Label[] = [];
    for (const line of drawing.lines) {
      if (!line.label || !line.points.length) continue;
      const [lastX, lastY] = line.points.at(-1)!;
      const [endX, endY] = [x(lastX), y(Math.max(lastY, floor))];
      const length = widthOf(line.label);
      // A line that ends early has its name where it ends, the others in the margin.
      const early = edge - endX - 6 > length;
      if (!early && length > room) unplaced.push(line);
      else wanted.push({ line, x: early ? endX + 6 : edge + 6 + leader, y: endY + 4, length, end: endY });
    }
    for (const column of columns(wanted)) {
      const placed = spread(column, MARGIN.top - 12, height - MARGIN.bottom + 4);
      unplaced.push(...column.filter((each) => !placed.includes(each)).map(({ line }) => line));
      for (const { line, x, y, end } of placed) {
        if (leader && x > edge && Math.abs(y - 4 - end) > GAP / 2) {
          const d = `M${edge + 2},${end} L${x - 3},${y - 4}`;
          this.svg.append(s("path", { class: "rnx-leader", d, style: `stroke:${line.colour}` }));
        }
        this.svg.append(s("text", { class: "rnx-end", x, y, style: `fill:${line.colour}` }, line.label));
      }
    }
    this.key.replaceChildren(...drawing.lines.filter((line) => unplaced.includes(line)).map(keyed));
    this.key.hidden = !unplaced.length;
  }

  private cursor(drawing: Drawing): void {
    if (drawing.at === undefined || !this.width) return;
    const { x, y } = this.scales;
    const at = x(drawing.at);
    const [bottom, top] = y.range();
    const dots = drawing.lines.flatMap((each) => {
      const value = valueAt(each.points, drawing.at!);
      return value === null ? [] : [s("circle", { cx: at, cy: y(value), r: 3.5, style: `fill:${each.colour}` })];
    });
    this.pointer.replaceChildren(s("line", { class: "rnx-cursor", x1: at, x2: at, y1: top, y2: bottom }), ...dots);
  }

  private sketch(sketch: Sketch, inside: Element, height: number): void {
    const { x, y } = this.scales;
    this.handle = Math.min(this.handle, sketch.xs.length - 1);
    const drawn = sketch.xs.flatMap((each, i) => (sketch.ys[i] === null ? [] : [[x(each), y(sketch.ys[i]!)]]));
    const at = x(sketch.xs[this.handle]);
    inside.append(
      s("line", { class: "rnx-cursor rnx-handle", x1: at, x2: at, y1: MARGIN.top, y2: height - MARGIN.bottom }),
      s("path", { class: "rnx-sketch", d: line()(drawn as Point[]) ?? "" }),
      ...drawn.map(([cx, cy]) => s("circle", { class: "rnx-sketch-dot", cx, cy, r: 2.5 })),
    );
    const [left, right] = x.range();
    if (!drawn.length) {
      const style = `font-size:${Math.min(15, (right - left) / 10)}px`;
      const place = { class: "rnx-invitation", x: (left + right) / 2, y: height * 0.3, "text-anchor": "middle", style };
      inside.append(s("text", place, sketch.invitation));
    } else if (sketch.ys.at(-1) !== null) {
      this.svg.append(s("text", { class: "rnx-end", x: right + 6, y: drawn.at(-1)![1] + 4, fill: "currentColor" }, sketch.label));
    }
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0) return; // the other buttons choose nothing
    this.pressed = true;
    if (event.pointerType === "touch") this.finger = [event.clientX, event.clientY];
    else this.begin(event);
  }

  /** A finger that moves sideways uses the chart; one that moves up or down scrolls the page. */
  private pass(event: PointerEvent): void {
    if (this.finger) {
      const [x, y] = [Math.abs(event.clientX - this.finger[0]), Math.abs(event.clientY - this.finger[1])];
      if (x < 6 || x < y) return;
      this.finger = null;
      this.begin(event);
    }
    this.point(event);
  }

  private lift(event: PointerEvent): void {
    if (this.finger) this.begin(event); // a tap
    else if (this.pressed) this.point(event); // where a drag ends is chosen, as what is tapped
    this.rest();
  }

  private rest(): void {
    this.held = this.finger = null;
    this.pressed = false;
  }

  private begin(event: PointerEvent): void {
    if (!this.drawing?.sketch) return this.point(event);
    event.preventDefault();
    this.pad.focus({ preventScroll: true });
    if (event.type !== "pointerup") this.pad.setPointerCapture(event.pointerId);
    this.held = this.column(event);
    this.stroke(this.held, event);
  }

  private point(event: PointerEvent): void {
    const { drawing } = this;
    if (!drawing) return;
    if (drawing.sketch) {
      if (this.held !== null) this.stroke(this.held, event);
    } else if (drawing.stops?.length) {
      const at = drawing.stops[nearest(drawing.stops, this.scales.x.invert(this.place(event)[0]))];
      this.onAt(at, event.type === "pointermove");
    }
  }

  private place(event: PointerEvent): Point {
    const box = this.svg.getBoundingClientRect();
    return [(event.clientX - box.left) / this.scale, (event.clientY - box.top) / this.scale];
  }

  private column(event: PointerEvent): number {
    return nearest(this.drawing!.sketch!.xs, this.scales.x.invert(this.place(event)[0]));
  }

  /** Draw from the column where the pointer was to where it is, so that a quick hand leaves no gap. */
  private stroke(from: number, event: PointerEvent): void {
    const sketch = this.drawing!.sketch!;
    const to = this.column(event);
    const end = this.clamp(this.scales.y.invert(this.place(event)[1]));
    const ys = [...sketch.ys];
    const begin = ys[from] ?? end;
    const count = Math.abs(to - from);
    for (let i = 1; i <= count; i++) ys[from + Math.sign(to - from) * i] = begin + ((end - begin) * i) / count;
    ys[to] = end;
    this.held = this.handle = to;
    sketch.change(ys);
  }

  private clamp(y: number): number {
    const [low, high] = this.drawing!.y;
    return Math.min(high, Math.max(low, y));
  }

  private step(event: KeyboardEvent): void {
    const { drawing } = this;
    if (!drawing) return;
    const { sketch } = drawing;
    const stops = sketch?.xs ?? drawing.stops ?? [];
    const now = sketch ? this.handle : nearest(stops, drawing.at ?? stops[0]);
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    const leaps: Record<string, number> = { PageDown: -10, PageUp: 10 };
    const vertical: Record<string, number> = { ArrowUp: 1, ArrowDown: -1, PageUp: 5, PageDown: -5 };
    if (sketch && event.key in vertical) {
      const ys = [...sketch.ys];
      const start = ys[now] ?? lastOf(ys.slice(0, now)) ?? sketch.start[now];
      ys[now] = this.clamp(start + vertical[event.key] * sketch.step * (event.shiftKey ? 5 : 1));
      sketch.change(ys);
    } else {
      const by = steps[event.key] ?? (sketch ? undefined : (leaps[event.key] ?? vertical[event.key]));
      if (by === undefined || !stops.length) return;
      const next = Math.max(0, Math.min(stops.length - 1, now + by));
      if (sketch) {
        this.handle = next;
        this.draw();
      } else this.onAt(stops[next], false);
    }
    event.preventDefault();
  }
}

/** At most about `most` of the points, the last among them; what is read out is never thinned. */
function thin<P>(points: P[], most: number): P[] {
  const step = Math.ceil(points.length / most);
  return step < 2 ? points : points.filter((_, i) => i % step === 0 || i === points.length - 1);
}

/** Labels that share a strip of the chart, which may overlap: strip by strip. */
function columns(labels: Label[]): Label[][] {
  const found: { end: number; labels: Label[] }[] = [];
  for (const each of [...labels].sort((a, b) => a.x - b.x)) {
    const last = found.at(-1);
    const end = each.x + each.length;
    if (last && each.x < last.end) {
      last.labels.push(each);
      last.end = Math.max(last.end, end);
    } else found.push({ end, labels: [each] });
  }
  return found.map(({ labels }) => labels);
}

/** Move labels apart, all together as little as can be, between two heights. Returns those that have
 * a place; where there are too many, the most crowded have none. */
function spread<L extends { y: number }>(labels: L[], top: number, bottom: number): L[] {
  const placed = [...labels].sort((a, b) => a.y - b.y);
  const around = (i: number) => (placed[i + 1]?.y ?? Infinity) - (placed[i - 1]?.y ?? -Infinity);
  while (placed.length > 1 + (bottom - top) / GAP) {
    const free = placed.map((_, i) => around(i));
    placed.splice(free.indexOf(Math.min(...free)), 1);
  }
  // Those that touch stand together, in the middle of where they want to be.
  const startOf = (group: L[]) => {
    const middle = group.reduce((sum, each, k) => sum + each.y - k * GAP, 0) / group.length;
    return Math.min(bottom - (group.length - 1) * GAP, Math.max(top, middle));
  };
  const groups: L[][] = [];
  for (const each of placed) {
    let group = [each];
    while (groups.length && startOf(groups.at(-1)!) + groups.at(-1)!.length * GAP > startOf(group)) {
      group = [...groups.pop()!, ...group];
    }
    groups.push(group);
  }
  for (const group of groups) {
    const start = startOf(group);
    group.forEach((each, k) => (each.y = start + k * GAP));
  }
  return placed;
}

/** A line of the chart in the key. */
function keyed({ label, colour, dash }: Line): HTMLElement {
  const stroke = s("line", { x1: 1, x2: 31, y1: 4, y2: 4, "stroke-width": 2.4, "stroke-dasharray": dash, style: `stroke:${colour}` });
  return h("li", { style: `color:${colour}` }, s("svg", { width: 32, height: 8 }, stroke), label);
}

/** A line's value at an x that it was measured at, or null. */
export function valueAt(points: Point[], x: number): number | null {
  return points.find((point) => point[0] === x)?.[1] ?? null;
}

/** A line's value at any x on its way, or null. */
function between(points: Point[], x: number): number | null {
  const i = points.findIndex((point) => point[0] >= x);
  if (i < 1) return null;
  const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

/** Ones, twos and fives of each decade; only the ones where there are many decades. */
function logTicks([low, high]: [number, number]): number[] {
  const decades = Math.ceil(Math.log10(high / low));
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    for (const digit of decades > 3 ? [1] : [1, 2, 5]) ticks.push(digit * 10 ** power);
  }
  return ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

function lastOf(ys: (number | null)[]): number | null {
  return ys.filter((y) => y !== null).at(-1) ?? null;
}
