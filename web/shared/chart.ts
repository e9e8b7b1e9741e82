// One chart for all explorers: lines with bands over a horizontal axis, read by pointer or arrow
// keys, and a sketch that the reader draws into it. d3 makes scales, axes and shapes.
import { axisBottom, axisLeft } from "d3-axis";
import { scaleLinear, scaleLog, type ScaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { area, line } from "d3-shape";
import { nearest } from "./controls.ts";
import { h, s, uniqueId } from "./dom.ts";
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
  /** Written at the line's right end. */
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
  height?: number;
  xFormat?: (x: number) => string;
  yFormat?: (y: number) => string;
  /** Ticks of the horizontal axis; a narrow chart leaves every second one out. */
  xTicks?: number[];
}

const MARGIN = { top: 26, bottom: 38, left: 40 };
const LETTER = 7.4; // the usual width of a letter of a label, in pixels

/** About how wide a label is: a Chinese character is as wide as two letters. */
const widthOf = (label: string) => LETTER * label.replace(/[\u2e80-\uffef]/g, "xx").length;

export class Chart {
  readonly element: HTMLElement;
  private readonly svg = s("svg", { class: "rnx-svg", "aria-hidden": "true" });
  private drawing: Drawing | null = null;
  private width = 0;
  private handle = 0;
  private held: number | null = null;
  /** Where a finger came down that has not said yet whether it scrolls the page or uses the chart. */
  private finger: Point | null = null;
  private seen = new Set<string>();
  private pointer: SVGGElement = s("g");
  private clip = uniqueId();
  private scales: { x: Scale; y: Scale } = { x: scaleLinear(), y: scaleLinear() };
  private observer: ResizeObserver;

  /** onAt: hears the x that the reader steps to, or (passing) points at. */
  constructor(private readonly onAt: (x: number, passing: boolean) => void = () => {}) {
    this.element = h("div", { class: "rnx-chart", tabindex: 0, role: "slider" }, this.svg);
    this.element.addEventListener("pointerdown", (event) => this.press(event));
    this.element.addEventListener("pointermove", (event) => this.pass(event));
    this.element.addEventListener("pointerup", (event) => this.lift(event));
    this.element.addEventListener("pointercancel", () => (this.held = this.finger = null));
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.observer = new ResizeObserver(() => {
      const width = Math.floor(this.element.clientWidth);
      if (width && width !== this.width) this.draw();
    });
    this.observer.observe(this.element);
  }

  close(): void {
    this.observer.disconnect();
  }

  /** Show a drawing; without one, show the last one again. */
  draw(drawing: Drawing | null = this.drawing): void {
    this.drawing = drawing;
    this.width = Math.floor(this.element.clientWidth);
    if (!drawing || !this.width) return;
    const { width } = this;
    const height = drawing.height ?? Math.round(Math.max(250, Math.min(380, width * 0.52)));
    const labels = [...drawing.lines.map((each) => each.label ?? ""), drawing.sketch?.label ?? ""];
    const widest = Math.max(...labels.map(widthOf));
    const right = widest ? 12 + widest : 24; // a last tick's half stands out
    const x = scaleLinear(drawing.x, [MARGIN.left, width - right]);
    const make = drawing.log ? scaleLog : scaleLinear;
    const y = make(drawing.y, [height - MARGIN.bottom, MARGIN.top]) as Scale;
    this.scales = { x, y };
    this.svg.setAttribute("width", String(width));
    this.svg.setAttribute("height", String(height));
    this.svg.replaceChildren();
    this.describe(drawing);
    this.axes(drawing, width, height, right);
    const inside = s("g", { "clip-path": `url(#${this.clip})` });
    const frame = { x: MARGIN.left, y: 0, width: width - right - MARGIN.left, height: height - MARGIN.bottom };
    const defs = s("defs", {}, s("clipPath", { id: this.clip }, s("rect", frame)));
    this.svg.append(defs, inside);
    this.rules(drawing, inside, width - right);
    this.lines(drawing, inside);
    this.labels(drawing, width - right, height);
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
    const { element } = this;
    const stops = drawing.sketch?.xs ?? drawing.stops ?? [];
    const now = drawing.sketch ? stops[this.handle] : drawing.at;
    const text = drawing.sketch
      ? `${this.xText(stops[this.handle])}: ${this.yText(drawing.sketch.ys[this.handle])}`
      : drawing.valueText;
    element.setAttribute("aria-label", drawing.label);
    element.setAttribute("aria-valuemin", String(stops[0] ?? 0));
    element.setAttribute("aria-valuemax", String(stops.at(-1) ?? 0));
    element.setAttribute("aria-valuenow", String(now ?? stops[0] ?? 0));
    element.setAttribute("aria-valuetext", text ?? "");
    element.classList.toggle("rnx-sketching", Boolean(drawing.sketch));
  }

  private axes(drawing: Drawing, width: number, height: number, right: number): void {
    const { x, y } = this.scales;
    const xAxis = axisBottom(x)
      .ticks(Math.max(2, Math.min(8, Math.floor((width - right) / 80))))
      .tickFormat((value) => this.xText(Number(value)))
      .tickSizeOuter(0);
    const ticks = drawing.xTicks;
    if (ticks) xAxis.tickValues(width < 480 ? ticks.filter((_, i) => i % 2 === 0) : ticks);
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

  private rules(drawing: Drawing, inside: Element, end: number): void {
    let above = -Infinity; // where the last label stands
    const labels: Element[] = []; // above all rules, for one that makes way may come to lie on another's
    for (const rule of [...(drawing.rules ?? [])].sort((a, b) => b.y - a.y)) {
      const at = this.scales.y(rule.y);
      const y = Math.max(at - 4, above + 13);
      above = y;
      inside.append(
        s("line", { class: "rnx-rule", x1: MARGIN.left, x2: end, y1: at, y2: at, style: `stroke:${rule.colour}` }),
      );
      labels.push(
        s("text", { class: "rnx-rule-label", x: MARGIN.left + 6, y, style: `fill:${rule.colour}` }, rule.label),
      );
    }
    inside.append(...labels);
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

  /** The names at the lines' right ends, moved apart where they would overlap. */
  private labels(drawing: Drawing, edge: number, height: number): void {
    const { x, y } = this.scales;
    const floor = drawing.log ? drawing.y[0] : -Infinity;
    const bottom = height - MARGIN.bottom + 4;
    const placed = drawing.lines
      .filter((each) => each.label && each.points.length)
      .map((each) => {
        const [lastX, lastY] = each.points.at(-1)!;
        const length = widthOf(each.label!);
        // A line that ends early has its name where it ends, the others in the margin.
        const early = edge - x(lastX) - 6 > length;
        return { each, x: (early ? x(lastX) : edge) + 6, y: y(Math.max(lastY, floor)) + 4, length };
      })
      .sort((a, b) => a.y - b.y);
    const gap = 14;
    const near = (i: number, k: number) =>
      placed[i].x < placed[k].x + placed[k].length && placed[k].x < placed[i].x + placed[i].length;
    for (let i = 1; i < placed.length; i++) {
      for (let k = 0; k < i; k++) if (near(i, k)) placed[i].y = Math.max(placed[i].y, placed[k].y + gap);
    }
    for (let i = placed.length - 1; i >= 0; i--) {
      placed[i].y = Math.min(placed[i].y, bottom);
      for (let k = i + 1; k < placed.length; k++) if (near(i, k)) placed[i].y = Math.min(placed[i].y, placed[k].y - gap);
    }
    for (const { each, x, y } of placed) {
      this.svg.append(s("text", { class: "rnx-end", x, y, style: `fill:${each.colour}` }, each.label));
    }
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
      const place = { class: "rnx-invitation", x: (left + right) / 2, y: height * 0.3, "text-anchor": "middle" };
      inside.append(s("text", place, sketch.invitation));
    } else if (sketch.ys.at(-1) !== null) {
      this.svg.append(s("text", { class: "rnx-end", x: right + 6, y: drawn.at(-1)![1] + 4, fill: "currentColor" }, sketch.label));
    }
  }

  private xText(x: number): string {
    return (this.drawing?.xFormat ?? ((value: number) => number(value)))(x);
  }

  private yText(y: number | null): string {
    return y === null ? "\u2013" : (this.drawing?.yFormat ?? ((value: number) => number(value, 1)))(y);
  }

  private press(event: PointerEvent): void {
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
    this.held = this.finger = null;
  }

  private begin(event: PointerEvent): void {
    if (!this.drawing?.sketch) return this.point(event);
    event.preventDefault();
    this.element.focus({ preventScroll: true });
    if (event.type !== "pointerup") this.element.setPointerCapture(event.pointerId);
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
    return [event.clientX - box.left, event.clientY - box.top];
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

  private key(event: KeyboardEvent): void {
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

/** A line's value at an x that it was measured at, or null. */
export function valueAt(points: Point[], x: number): number | null {
  return points.find((point) => point[0] === x)?.[1] ?? null;
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
