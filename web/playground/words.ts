// Numbers and nets in words, in the reader's language.
import { rounded } from "../shared/rounding.ts";
import { lastMean, smooth } from "./averages.ts";
import { type Choice, DEFAULT, isPlain, nameOf, type NumberName } from "./choices.ts";
import type { Arm, Run } from "./runs.ts";
import type { Texts } from "./texts/index.ts";

export const whole = (value: number): string => value.toLocaleString("en");

/** A number as short as it can be: 0.02, 1e-4 as 0.0001. */
export const plain = (value: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: 10 });

export const percent = (value: number | undefined): string =>
  value === undefined || !Number.isFinite(value) ? "" : `${rounded(value, 1).toFixed(1)}%`;

export const loss = (value: number | undefined): string => {
  if (value === undefined || !Number.isFinite(value)) return "";
  return value < 1000 ? rounded(value, 3).toFixed(3) : scientific(value);
};

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** A power of ten: 10⁻⁸. */
export function tenTo(exponent: number): string {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

function scientific(value: number): string {
  const [digits, exponent] = value.toExponential(1).split("e");
  return `${digits}\u00a0×\u00a0${tenTo(Number(exponent))}`;
}

/** From the lowest to the highest of some numbers; one alone where they are written alike. */
export function span(values: number[], write: (value: number) => string): string {
  const [low, high] = [write(Math.min(...values)), write(Math.max(...values))];
  return low === high ? low : `${low}\u2013${high}`;
}

/** 76,330 as it is, 1,900,000 as 1.9 million. */
export const large = (value: number, texts: Texts): string =>
  value < 1e6 ? whole(value) : texts.million((value / 1e6).toPrecision(3));

export function duration(seconds: number, texts: Texts): string {
  if (seconds < 90) return texts.seconds(Math.round(seconds));
  return texts.minutes((seconds / 60).toFixed(seconds < 600 ? 1 : 0));
}

/** The net with its shortcut option where that is not the usual A: ResNet-20 B. */
export const longName = (choice: Choice): string =>
  isPlain(choice) || choice.shortcut === "A" ? nameOf(choice) : `${nameOf(choice)} ${choice.shortcut}`;

const NUMBERS = ["learningRate", "warmup", "steps", "batchSize", "width", "momentum", "weightDecay", "seed", "seeds"];

/** In what a choice differs from another: the usual one, or a lesson's. */
export function differences(choice: Choice, texts: Texts, from: Choice = DEFAULT): string[] {
  const { differs } = texts;
  const found: string[] = [];
  if (choice.order !== from.order && choice.order === "preactivation") found.push(differs.order);
  if (choice.batchNorm !== from.batchNorm && !choice.batchNorm) found.push(differs.batchNorm);
  if (choice.init !== from.init && choice.init !== "he") found.push(differs[choice.init]);
  if (choice.drops !== from.drops && choice.drops) found.push(differs.drops);
  for (const name of NUMBERS as Exclude<NumberName, "depth">[]) {
    if (choice[name] !== from[name]) found.push(differs[name](plain(choice[name])));
  }
  return found;
}

const CLASSES = 10;
/** What a net has that gives every class the same share; error in percent. */
export const GUESSING = { loss: Math.log(CLASSES), error: 100 - 100 / CLASSES };
const EXPLODED = 10 * GUESSING.loss;
export const EARLY = 20; // iterations that decide neither this nor the axis: a loss may start high

/** Whether the loss of a run has exploded, though it is still a number. */
export const exploded = (arm: Arm): boolean =>
  arm.begun.some(
    ({ state, over, iteration, losses }) =>
      state !== "diverged" && (over || iteration > EARLY) && lastMean(losses) > EXPLODED,
  );

export interface Reading {
  loss?: number;
  train?: number; // error in percent
  test?: number; // error in percent
  tested?: number; // the iteration that `test` is of, where that is an earlier one
}

/** A run's numbers: now, or at an iteration that it has passed. */
export function read(run: Run, moment?: number): Reading {
  // The numbers of a net that diverged mean nothing.
  if (run.iteration === 0 || (run.state === "diverged" && moment === undefined)) return {};
  const now = moment === undefined || moment >= run.iteration;
  const at = now ? run.iteration : Math.max(1, Math.round(moment));
  const last = run.test.findLast(({ iteration }) => iteration <= at);
  const test = { test: last?.error, tested: last && last.iteration < at ? last.iteration : undefined };
  if (now) {
    return { loss: lastMean(run.losses), train: run.train?.error ?? smooth(run.errors).at(-1), ...test };
  }
  return {
    loss: smooth(run.losses.slice(0, at)).at(-1),
    train: smooth(run.errors.slice(0, at)).at(-1),
    ...test,
  };
}

/** The mean of an arm's runs, and each of them. */
export function readArm(arm: Arm, moment?: number): { mean: Reading; all: Reading[] } {
  const all = arm.begun.map((run) => read(run, moment));
  const mean = (name: "loss" | "train" | "test"): number | undefined => {
    const values = all.map((each) => each[name]).filter((value) => value !== undefined);
    return values.length > 0 ? lastMean(values, values.length) : undefined;
  };
  return { mean: { loss: mean("loss"), train: mean("train"), test: mean("test") }, all };
}
