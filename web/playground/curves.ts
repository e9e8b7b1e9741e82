// From runs to lines: smoothing, means over seeds, and how a net looks.
import { lastMean, smooth } from "./averages.ts";
import type { Band, Line, Point } from "./chart.ts";
import { type Choice, isPlain } from "./choices.ts";
import type { Signal, Signals } from "./messages.ts";
import recorded from "../../resnet_lib/widgets/playground-curves.json";
import type { Arm, Run } from "./runs.ts";

const MOST_POINTS = 360; // a line needs no more than a screen shows
const DASHES = ["", "7 3", "5 2.5 1.5 2.5", "1.5 2.5"];

/** Points (iteration, value) of an array that begins at iteration 1, thinned out. */
function spread(values: readonly number[]): Point[] {
  const step = Math.max(1, Math.ceil(values.length / MOST_POINTS));
  const points: Point[] = [];
  for (let i = 0; i < values.length; i += step) points.push([i + 1, values[i]]);
  const rest = (values.length - 1) % step;
  if (values.length > 0 && rest !== 0) points.push([values.length, values[values.length - 1]]);
  return points;
}

/** The smoothed points of a run, made anew only when it has gone on. */
const smoothed = new WeakMap<readonly number[], { length: number; points: Point[] }>();
function smoothPoints(values: readonly number[]): Point[] {
  const known = smoothed.get(values);
  if (known?.length === values.length) return known.points;
  const points = spread(smooth(values));
  smoothed.set(values, { length: values.length, points });
  return points;
}

/** Mean, and lowest to highest, of several lines over the same places. */
function gather(lines: Point[][]): { points: Point[]; band?: Band[] } {
  if (lines.length === 1) return { points: lines[0] };
  const places = new Map<number, number[]>();
  for (const [at, value] of lines.flat()) {
    places.set(at, [...(places.get(at) ?? []), value]);
  }
  const sorted = [...places].sort(([one], [other]) => one - other);
  // Only where all have been; until the first is overtaken, the first alone.
  const common = sorted.filter(([, values]) => values.length === lines.length);
  const points = common.map(([at, all]): Point => [at, lastMean(all, all.length)]);
  const band = common.map(([at, all]): Band => [at, Math.min(...all), Math.max(...all)]);
  return { points, band };
}

/** Orange-red for plain nets, blue for residual ones; options B and C and pre-activation differ. */
export function colourOf({ shortcut, order }: Choice): string {
  if (shortcut === "none") return "var(--playground-plain)";
  return `var(--playground-${order === "preactivation" ? order : shortcut})`;
}

/** As in the book's figures: the deepest net is solid. */
export function dashOf(depth: number, depths: Iterable<number>): string {
  const order = [...new Set(depths)].sort((one, other) => other - one);
  return DASHES[Math.min(order.indexOf(depth), DASHES.length - 1)];
}

type Style = Pick<Line, "label" | "colour" | "dash" | "faded">;

/** The runs of an arm that have come equally far as the first, or are over. Those that diverged end
 * early and are left out, unless all did. */
function comparable(arm: Arm): Run[] {
  const going = arm.begun.filter(({ state }) => state !== "diverged");
  const [first, ...rest] = going.length > 0 ? going : arm.begun;
  return first ? [first, ...rest.filter((run) => run.over || run.iteration >= first.iteration)] : [];
}

/** Training loss or error of an arm: single batches faint, their moving average above. */
export function trainingLine(arm: Arm, what: "losses" | "errors", style: Style): Line {
  const runs = comparable(arm);
  const lines = runs.map((run) => smoothPoints(run[what]));
  const { points, band } = lines.length > 0 ? gather(lines) : { points: [], band: undefined };
  const single = what === "losses" && runs.length === 1;
  const raw = single ? spread(runs[0][what]).filter(([, value]) => Number.isFinite(value)) : undefined;
  const width = what === "errors" ? 1.2 : 2;
  return { key: `${arm.number} ${what}`, ...style, width, points, band, raw, lost: arm.diverged };
}

/** Test error of an arm, bold. */
export function testLine(arm: Arm, style: Style): Line {
  const lines = comparable(arm).map((run) =>
    run.test.map(({ iteration, error }): Point => [iteration, error]),
  );
  const gathered = lines.length > 0 ? gather(lines) : { points: [] };
  return { key: `${arm.number} test`, ...style, width: 2.4, ...gathered };
}

/** The last signals at or before an iteration. */
export function signalsAt(run: Run, iteration: number): Signals | undefined {
  return run.signals.findLast((each) => each.iteration <= iteration) ?? run.signals[0];
}

/** One signal from the first layer (0) to the last (1), the mean over seeds with its band. */
export function layerLine(arm: Arm, what: Signal, iteration: number, style: Style): Line {
  const lines = comparable(arm).flatMap((run): Point[][] => {
    const signals = signalsAt(run, iteration);
    if (!signals) return [];
    const values = signals[what];
    const place = (i: number): number => i / Math.max(1, values.length - 1);
    const shown = [...values].map((value, i): Point => [place(i), value]);
    return [shown.filter(([, value]) => Number.isFinite(value) && value > 0)];
  });
  const gathered = lines.length > 0 ? gather(lines) : { points: [] };
  return { key: `${arm.number} ${what}`, ...style, width: 1.8, ...gathered };
}

/** What was recorded, with the usual choices, of the net of this kind that is nearest in depth. */
export function recordedLine(
  { number, choice }: Arm,
  until: number,
): { depth: number; line: Omit<Line, "label"> } {
  const kind = isPlain(choice) ? "plain" : "residual";
  const distance = ({ depth }: { depth: number }): number => Math.abs(depth - choice.depth);
  const [net] = recorded.nets
    .filter((each) => each.kind === kind)
    .sort((one, other) => distance(one) - distance(other));
  const runs = net.runs.map(({ loss }) =>
    loss.map((value, i): Point => [(i + 1) * recorded.every, value]).filter(([at]) => at <= until),
  );
  const style = { colour: colourOf(choice), dash: "2 3", width: 1.6, faded: false };
  return { depth: net.depth, line: { key: `${number} recorded`, ...style, ...gather(runs) } };
}
