// Questions that the reader answers before the nets do. What they train, and what came out over
// several seeds, is measured; which answer is right follows from that by a rule, never by hand.
import { type Choice, DEFAULT } from "./choices.ts";
import { outcomeOf, presets } from "./outcomes.ts";

/** What was measured of one net: one number a seed; errors in percent, NaN where it diverged. */
export interface Measured {
  loss: number[]; // mean of the last 50 batches
  train: number[];
  test: number[];
}

/**
 * lowest: which net ends with the lowest training loss?
 * learns: which nets learn anything?
 * gap: does the difference between the first two nets shrink in the second two?
 * rescue: can changes other than shortcuts bring plain-56 to the residual net's loss?
 */
export type Kind = "lowest" | "learns" | "gap" | "rescue";

export interface Lesson {
  id: string;
  kind: Kind;
  arms: Choice[];
}

export const LESSONS: Lesson[] = presets;

/** A net learns if it ends with at most half of the training images wrong; guessing gives 90%. */
export const LEARNS = 50;
/** Gaps are called the same within this share of the first. */
const SAME_GAP = 0.1;

/** The tries of "Rescue plain-56". */
export const TRIES = 5;
export const RESCUE: Choice = { ...DEFAULT, depth: 56, shortcut: "none" };
export const KNOBS = {
  learningRate: [0.005, 0.01, 0.02, 0.05, 0.1],
  warmup: [0, 100],
  init: ["he", "xavier", "small"],
  steps: [300, 900],
} as const;

const mean = (values: number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The keys of the answers to choose from, in order. */
export function answersOf({ kind, arms }: Lesson): string[] {
  if (kind === "lowest") return [...arms.keys()].map(String).concat("none");
  if (kind === "gap") return ["closes", "shrinks", "stays"];
  if (kind === "rescue") return Array.from({ length: TRIES + 1 }, (_, i) => String(i));
  const subsets = Array.from({ length: 2 ** arms.length }, (_, bits) =>
    arms.map((_, i) => ((bits >> i) & 1 ? "+" : "-")).join(""),
  );
  return subsets.reverse();
}

/** The answer that numbers give, one seed's or several's; undefined where no rule decides. */
export function decide({ kind }: Lesson, found: Measured[]): string | undefined {
  if (kind === "learns") {
    return found.map(({ train }) => (mean(train) <= LEARNS ? "+" : "-")).join("");
  }
  if (kind === "lowest") {
    const finite = found.map(({ loss }) => loss.map((each) => (Number.isFinite(each) ? each : Infinity)));
    const order = [...found.keys()].sort((one, other) => mean(finite[one]) - mean(finite[other]));
    const [best, second] = order.map((i) => finite[i]);
    return Math.max(...best) < Math.min(...second) ? String(order[0]) : "none";
  }
  if (kind === "gap") {
    const [before, after] = [0, 2].map((i) => mean(found[i + 1].loss) - mean(found[i].loss));
    const left = after / before;
    return left <= SAME_GAP ? "closes" : left < 1 - SAME_GAP ? "shrinks" : "stays";
  }
  return undefined;
}

/** What was measured of a lesson's nets; undefined for a net that was not. */
export const measuredOf = (choice: Choice): Measured | undefined => outcomeOf(choice);

/** The training loss that a rescued plain-56 has to reach: the highest of the residual net's. */
export function rescueLine(): number | undefined {
  const twin = measuredOf({ ...RESCUE, shortcut: "A" });
  return twin && Math.max(...twin.loss);
}
