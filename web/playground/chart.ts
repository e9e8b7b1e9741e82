// A line chart as SVG in the book's style. Drawing again with more points touches only what changed.
import { scaleLinear, scaleLog } from "d3-scale";
import { area, line } from "d3-shape";
import { h, onWidth, s, uniqueId } from "../shared/dom.ts";
import { tenTo } from "./words.ts";

export type Point = [x: number, y: number];
export type Band = [x: number, low: number, high: number];

export interface Line {
  key: string;
  label: string; // at the line's end; "" for none
  colour: string; // a CSS colour
  dash: string;
  width: number;
  faded: boolean;
  points: Point[];
  raw?: Point[]; // what `points` smooths, drawn faintly
  band?: Band[]; // from the lowest to the highest seed
  lost?: boolean; // the line ends because the net diverged
}

export interface View {
  lines: Line[];
  x: [number, number];
  y: [number, number];
  log?: boolean; // of the vertical axis
  xLabel: string;
  yLabel: string;
  cursor?: number; // a moment, as an x
  levels?: { value: number; label: string; colour: string }[];
  empty: string; // what to say without lines
  alt: string;
}

const NARROW = 440; // pixels
const LEFT = 40; // pixels: room for the longest number at the vertical axis, such as 10⁻¹²
const MARGIN = { top: 26, bottom: 40 };

/** A power of ten as people write it. */
function power(value: number): string {
  const exponent = Math.round(Math.log10(value));
  if (exponent >= -2 && exponent <= 3) return String(Number(value.toPrecision(1)));
  return tenTo(exponent);
}

export class Chart {
  readonly element = s("svg", { role: "img", class: "playground-chart" });
  onpick: ((x: number) => void) | undefined;
  private readonly axes = s("g");
  private readonly levels = s("g");
  private readonly plot = s("g");
  private readonly labels = s("g");
  private readonly cursor = s("line", { class: "cursor", "stroke-dasharray": "2 3" });
  private readonly note = h("p", { class: "empty" }); // outside the picture, where text wraps
  private readonly drawn = new Map<string, { group: SVGElement; sign: string }>();
  private readonly clip = s("rect");
  private frame = "";
  private width = 0;
  private view: View | undefined;

  readonly host = document.createElement("div");

  constructor(private readonly height: number) {
    this.host.className = "chart";
    this.element.setAttribute("height", String(height));
    const id = uniqueId();
    const clipPath = s("clipPath", { id });
    clipPath.append(this.clip);
    this.plot.setAttribute("clip-path", `url(#${id})`);
    this.element.append(clipPath, this.axes, this.levels, this.plot, this.cursor, this.labels);
    this.host.append(this.element, this.note);
    onWidth(this.host, (width) => {
      this.width = Math.round(width);
      if (this.view) this.draw(this.view);
    });
    const pick = (event: PointerEvent): void => {
      if (!this.onpick || !this.view) return;
      const left = this.element.getBoundingClientRect().left;
      const [low, high] = this.view.x;
      const x = this.scales(this.view).x.invert(event.clientX - left);
      this.onpick(Math.min(high, Math.max(low, x)));
    };
    // A finger that moves up or down scrolls the page; a tap, or one that moves sideways, picks.
    let finger: PointerEvent | undefined;
    let pressed = false; // here, and not somewhere else to select text
    this.element.addEventListener("pointerdown", (event) => {
      pressed = event.button === 0;
      if (event.pointerType === "touch") finger = event;
      else if (pressed) pick(event);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (finger) {
        const [x, y] = [Math.abs(event.clientX - finger.clientX), Math.abs(event.clientY - finger.clientY)];
        if (x < 6 || x < y) return;
        finger = undefined;
      }
      if (pressed && event.buttons & 1) pick(event);
    });
    const lift = (): void => {
      finger = undefined;
      pressed = false;
    };
    this.element.addEventListener("pointerup", (event) => {
      if (finger) pick(event);
      lift();
    });
    this.element.addEventListener("pointercancel", lift);
  }

  /** Where the axes end; names stand right of them. */
  private get right(): number {
    const longest = Math.max(8, ...(this.view?.lines ?? []).map(({ label }) => label.length));
    return this.width - 14 - longest * (this.width < NARROW ? 6.4 : 7.4);
  }

  private scales(view: View) {
    const range = [this.height - MARGIN.bottom, MARGIN.top];
    const y = view.log ? scaleLog(view.y, range) : scaleLinear(view.y, range);
    return { x: scaleLinear(view.x, [LEFT, this.right]), y };
  }

  draw(view: View): void {
    this.view = view;
    if (this.width < 160) return;
    const { x, y } = this.scales(view);
    const frame = JSON.stringify([this.width, this.right, view.x, view.y, view.xLabel, view.yLabel]);
    if (frame !== this.frame) {
      this.frame = frame;
      this.drawAxes(view, x, y);
    }
    this.element.setAttribute("aria-label", view.alt);
    this.note.textContent = view.lines.length > 0 ? "" : view.empty;
    this.levels.replaceChildren(
      ...(view.levels ?? []).flatMap(({ value, label, colour }) => [
        s("line", {
          ...{ x1: LEFT, x2: this.right, y1: y(value), y2: y(value) },
          ...{ stroke: colour, "stroke-dasharray": "1 5", "stroke-width": 1.8, "stroke-linecap": "round" },
        }),
        s("text", { x: this.right - 6, y: y(value) - 6, fill: colour, class: "level", "text-anchor": "end" }, label),
      ]),
    );
    const stale = new Set(this.drawn.keys());
    for (const each of view.lines) {
      stale.delete(each.key);
      this.drawLine(each, x, y, frame);
    }
    for (const key of stale) {
      this.drawn.get(key)!.group.remove();
      this.drawn.delete(key);
    }
    this.drawLabels(view.lines, x, y);
    const at = view.cursor === undefined ? "" : x(view.cursor).toFixed(1);
    this.cursor.toggleAttribute("hidden", at === "");
    this.cursor.setAttribute("visibility", at ? "visible" : "hidden");
    if (at) {
      const ends = { x1: at, x2: at, y1: MARGIN.top, y2: this.height - MARGIN.bottom };
      for (const [name, value] of Object.entries(ends)) this.cursor.setAttribute(name, String(value));
    }
  }

  private drawAxes(view: View, x: (x: number) => number, y: (y: number) => number): void {
    const [left, right] = [LEFT, this.right];
    const bottom = this.height - MARGIN.bottom;
    const inside = { x: left, y: MARGIN.top, width: right - left, height: bottom - MARGIN.top };
    for (const [name, value] of Object.entries(inside)) this.clip.setAttribute(name, String(value));
    this.element.classList.toggle("narrow", this.width < NARROW);
    this.element.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const parts: SVGElement[] = [];
    const text = (
      content: string,
      at: [number, number],
      anchor: "start" | "middle" | "end",
    ): SVGElement => s("text", { x: at[0], y: at[1], "text-anchor": anchor, class: "tick" }, content);
    for (const tick of view.log ? decades(view.y) : scaleLinear().domain(view.y).ticks(5)) {
      parts.push(s("line", { x1: left, x2: right, y1: y(tick), y2: y(tick), class: "grid" }));
      const shown = view.log ? power(tick) : String(tick);
      parts.push(text(shown, [left - 7, y(tick) + 4], "end"));
    }
    const wide = right - left > 420;
    for (const tick of scaleLinear().domain(view.x).ticks(wide ? 7 : 4)) {
      parts.push(s("line", { x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4, class: "axis" }));
      parts.push(text(tick.toLocaleString("en"), [x(tick), bottom + 17], "middle"));
    }
    parts.push(s("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "axis" }));
    parts.push(s("line", { x1: left, x2: left, y1: MARGIN.top, y2: bottom, class: "axis" }));
    parts.push(text(view.xLabel, [(left + right) / 2, this.height - 5], "middle"));
    parts.push(text(view.yLabel, [4, 13], "start"));
    this.axes.replaceChildren(...parts);
  }

  private drawLine(each: Line, x: (x: number) => number, y: (y: number) => number, frame: string): void {
    const last = each.points.at(-1);
    const style = [each.colour, each.dash, each.width, each.faded, each.lost];
    const sign = JSON.stringify([frame, each.points.length, last, each.points[0], each.band?.length, style]);
    const before = this.drawn.get(each.key);
    if (before?.sign === sign) return;
    const group = before?.group ?? this.plot.appendChild(s("g"));
    this.drawn.set(each.key, { group, sign });
    group.setAttribute("opacity", each.faded ? "0.7" : "1");
    const path = line<Point>((point) => x(point[0]), (point) => y(point[1]));
    const parts: SVGElement[] = [];
    const fill = { stroke: "none", fill: each.colour };
    if (each.band) {
      const shape = area<Band>(([at]) => x(at), ([, low]) => y(low), ([, , high]) => y(high));
      parts.push(s("path", { d: shape(each.band) ?? "", ...fill, opacity: 0.14 }));
    }
    const pen = { fill: "none", stroke: each.colour, "stroke-linejoin": "round" };
    if (each.raw && !each.faded) {
      parts.push(s("path", { d: path(each.raw) ?? "", ...pen, "stroke-width": 1, opacity: 0.22 }));
    }
    const stroke = { ...pen, "stroke-width": each.faded ? each.width * 0.7 : each.width, "stroke-dasharray": each.dash };
    parts.push(s("path", { d: path(each.points) ?? "", ...stroke }));
    if (last && each.lost) {
      const [left, top] = [x(last[0]), y(last[1])];
      const cross = `M${left - 5},${top - 5}l10,10m0,-10l-10,10`;
      parts.push(s("path", { d: cross, ...pen, "stroke-width": 2.5 }));
    }
    group.replaceChildren(...parts);
  }

  /** Names at the ends of the lines, moved apart where they would lie on each other. */
  private drawLabels(lines: Line[], x: (x: number) => number, y: (y: number) => number): void {
    const labels = lines
      .filter(({ label, points }) => label && points.length > 0)
      .map(({ label, points, colour }) => {
        const [at, value] = points.at(-1)!;
        const top = Math.max(MARGIN.top, Math.min(this.height - MARGIN.bottom, y(value)));
        return { label, colour, left: x(at) + 6, top: top + 4 };
      })
      .sort((one, other) => one.top - other.top);
    const bottom = this.height - MARGIN.bottom;
    for (let i = 1; i < labels.length; i++) {
      labels[i].top = Math.max(labels[i].top, labels[i - 1].top + 15);
    }
    for (let i = labels.length - 1, limit = bottom; i >= 0; i--, limit -= 15) {
      labels[i].top = Math.min(labels[i].top, limit);
    }
    this.labels.replaceChildren(
      ...labels.map(({ label, colour, left, top }) => s("text", { x: left, y: top, fill: colour, class: "label" }, label)),
    );
  }
}

/** The powers of ten within a range, at most about seven of them. */
function decades([low, high]: [number, number]): number[] {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const step = Math.ceil((last - first + 1) / 7);
  const exponents = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return exponents.filter((exponent) => exponent % step === 0).map((exponent) => 10 ** exponent);
}
