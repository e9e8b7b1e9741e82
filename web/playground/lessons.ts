// Questions that the reader answers before the nets do. What they train is in presets.ts, what came
// of it over several seeds in outcomes.json; which answer is right follows from that by a rule.
import { type Choice, DEFAULT, encode } from "./choices.ts";
import outcomes from "./outcomes.json";
import { type Arm as PresetArm, PRESETS } from "./presets.ts";

/** What was measured of one net: one number a seed, NaN where it diverged; errors in percent. */
export interface Measured {
  loss: number[]; // mean of the last 50 batches
  train: number[];
  test: number[];
}

/**
 * lowest: which net ends with the lowest training loss?
 * learns: which nets learn anything?
 * gap: does the difference between the two nets, trained longer, become smaller?
 * rescue: can changes other than shortcuts bring plain-56 to the residual net's loss?
 */
export type Kind = "lowest" | "learns" | "gap" | "rescue";

export interface Lesson {
  id: string;
  kind: Kind;
  arms: Choice[];
}

const KINDS: Record<string, Kind> = {
  "five-times-longer": "gap",
  "without-bn": "learns",
  "110-layers": "learns",
  "initialisation-without-bn": "learns",
  "rescue-plain-56": "rescue",
};

/** Compared nets of "gap" before they were trained longer. */
const BEFORE = "plain-8-20";

export const LESSONS: Lesson[] = PRESETS.map(({ id, arms }) => ({
  ...{ id, kind: KINDS[id] ?? "lowest" },
  arms: arms.map(choiceOf),
}));

function choiceOf({ net, train }: PresetArm): Choice {
  const { widths, ...rest } = net;
  const { milestones, ...recipe } = train;
  return { ...DEFAULT, ...rest, ...recipe, width: widths[0], drops: milestones.length > 0 };
}

interface Values {
  values: (number | null)[];
}
type Recorded = PresetArm & { loss?: Values; train_error?: Values; test_error?: Values };

const MEASURED = new Map<string, Measured>();
for (const each of Object.values(outcomes.presets as unknown as Record<string, Recorded[]>).flat()) {
  const { loss, train_error: train, test_error: test } = each;
  if (!loss || !train || !test) continue;
  const numbers = ({ values }: Values): number[] => values.map((value) => value ?? NaN);
  const found = { loss: numbers(loss), train: numbers(train), test: numbers(test) };
  MEASURED.set(encode(choiceOf(each)), found);
}

/** What was measured of a net; undefined where it was not. */
export const measuredOf = (choice: Choice): Measured | undefined =>
  MEASURED.get(encode({ ...choice, seed: DEFAULT.seed, seeds: DEFAULT.seeds }));

/** A net learns if it ends with at most half of the training images wrong; guessing gives 90%. */
export const LEARNS = 50;
/** Gaps are called the same within this share of the first. */
const SAME_GAP = 0.1;

/** "Rescue plain-56": how many tries, and what they may change. */
export const TRIES = 5;
export const RESCUE: Choice = { ...DEFAULT, depth: 56, shortcut: "none" };
export const KNOBS = {
  learningRate: [0.005, 0.01, 0.02, 0.05, 0.1],
  warmup: [0, 100],
  init: ["he", "xavier", "small"],
  steps: [300, 900],
} as const;

const sum = (values: number[]): number => values.reduce((all, value) => all + value, 0);
/** Of the seeds that did not diverge, or of all where none did. */
export const mean = (values: number[]): number => {
  const finite = values.filter(Number.isFinite);
  return sum(finite) / finite.length;
};

/** The keys of the answers to choose from, in order; for "learns" any "+-+" is one. */
export function answersOf({ kind, arms }: Lesson): string[] {
  if (kind === "lowest") return [...arms.keys()].map(String).concat("none");
  if (kind === "gap") return ["closes", "shrinks", "stays"];
  if (kind === "rescue") return Array.from({ length: TRIES + 1 }, (_, i) => String(i));
  return Array.from({ length: 2 ** arms.length }, (_, bits) =>
    arms.map((_, i) => ((bits >> i) & 1 ? "+" : "-")).join(""),
  );
}

/** The answer that was measured; undefined where something was not, or no rule decides. */
export function decide({ kind, arms }: Lesson): string | undefined {
  const found = arms.map(measuredOf);
  if (!found.every((each) => each !== undefined)) return undefined;
  if (kind === "learns") {
    // A net of which a seed diverged does not count as one that learns.
    return found.map(({ train }) => (sum(train) / train.length <= LEARNS ? "+" : "-")).join("");
  }
  if (kind === "lowest") {
    // Nets of one seed see the same batches, and twins start alike: so seed is held against seed.
    const losses = found.map(({ loss }) => loss.map((each) => (Number.isFinite(each) ? each : Infinity)));
    const winner = losses.findIndex((one) =>
      losses.every((other) => other === one || one.every((each, seed) => each < other[seed])),
    );
    return winner < 0 ? "none" : String(winner);
  }
  if (kind === "gap") {
    const before = LESSONS.find(({ id }) => id === BEFORE)!.arms.map(measuredOf);
    if (!before.every((each) => each !== undefined)) return undefined;
    const gap = ([one, other]: Measured[]): number => mean(other.loss) - mean(one.loss);
    const left = gap(found) / gap(before);
    return left <= SAME_GAP ? "closes" : left < 1 - SAME_GAP ? "shrinks" : "stays";
  }
  return undefined;
}

/** The training loss that a rescued plain-56 has to reach: the highest of the residual net's. */
export function rescueLine(): { value: number; seeds: number } | undefined {
  const twin = measuredOf({ ...RESCUE, shortcut: "A" });
  return twin && { value: Math.max(...twin.loss), seeds: twin.loss.length };
}
