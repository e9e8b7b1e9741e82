// What a reader can choose for a net and its training, and how a choice is written in the address.
import type { NetChoice, TrainChoice } from "./types.ts";

export type Shortcut = NetChoice["shortcut"];

/** All choices for one net: what is trained with `seeds` seeds, one after another. */
export interface Choice {
  depth: number;
  shortcut: Shortcut;
  order: NetChoice["order"];
  batchNorm: boolean;
  init: NetChoice["init"];
  width: number; // channels of conv2_x; conv3_x and conv4_x have twice and four times as many
  learningRate: number;
  drops: boolean; // learning rate divided by 10 at 1/2 and 3/4 of the steps, as in the paper
  warmup: number; // iterations
  batchSize: number;
  steps: number; // iterations
  momentum: number;
  weightDecay: number;
  seed: number;
  seeds: number;
}

export const DEFAULT: Choice = {
  depth: 20,
  shortcut: "A",
  order: "original",
  batchNorm: true,
  init: "he",
  width: 8,
  learningRate: 0.02,
  drops: false,
  warmup: 0,
  batchSize: 64,
  steps: 300,
  momentum: 0.9,
  weightDecay: 0,
  seed: 0,
  seeds: 1,
};

/** The numbers a choice may have: smallest, largest, and the distance between them. */
export const LIMITS = {
  depth: [8, 110, 6],
  width: [1, 64, 1],
  learningRate: [0.0001, 10, 0],
  warmup: [0, 20000, 1],
  batchSize: [2, 512, 1],
  steps: [1, 20000, 1],
  momentum: [0, 0.999, 0],
  weightDecay: [0, 0.1, 0],
  seed: [0, 999999, 1],
  seeds: [1, 10, 1],
} as const satisfies Partial<Record<keyof Choice, readonly [number, number, number]>>;

export type NumberName = keyof typeof LIMITS;

/** Whether a number is one of those that a choice may have. */
export function allowed(name: NumberName, value: number): boolean {
  const [low, high, step] = LIMITS[name];
  return value >= low && value <= high && (step === 0 || (value - low) % step === 0);
}

export function netOf(choice: Choice, seed: number): NetChoice {
  const { depth, shortcut, order, batchNorm, init, width } = choice;
  return { depth, shortcut, order, batchNorm, init, widths: [width, 2 * width, 4 * width], seed };
}

export function trainingOf(choice: Choice): TrainChoice {
  const { learningRate, warmup, batchSize, steps, momentum, weightDecay, drops } = choice;
  const drop = drops ? [Math.floor(steps / 2), Math.floor((3 * steps) / 4)] : [];
  const milestones = [...new Set(drop)].filter((milestone) => milestone > 0); // of very few steps
  return { learningRate, warmup, batchSize, steps, momentum, weightDecay, milestones };
}

export const seedsOf = (choice: Choice): number[] =>
  Array.from({ length: choice.seeds }, (_, i) => choice.seed + i);

export const isPlain = (choice: Choice): boolean => choice.shortcut === "none";

/** The net's name in the papers' words: plain-20, ResNet-20. */
export const nameOf = (choice: Choice): string =>
  `${isPlain(choice) ? "plain" : "ResNet"}-${choice.depth}`;

// In the address a net is its name and what differs from the default: resnet56B.lr0.1.n900
const NUMBERS: [string, NumberName][] = [
  ["w", "width"],
  ["lr", "learningRate"],
  ["warm", "warmup"],
  ["b", "batchSize"],
  ["n", "steps"],
  ["m", "momentum"],
  ["wd", "weightDecay"],
  ["s", "seed"],
  ["x", "seeds"],
];
const WORDS: [string, Partial<Choice>][] = [
  ["pre", { order: "preactivation" }],
  ["nobn", { batchNorm: false }],
  ["xavier", { init: "xavier" }],
  ["small", { init: "small" }],
  ["drops", { drops: true }],
];

/** A choice as the address writes it; equal choices are written alike. */
export function encode(choice: Choice): string {
  const net = isPlain(choice) ? `plain${choice.depth}` : `resnet${choice.depth}${choice.shortcut}`;
  const words = WORDS.filter(([, change]) =>
    Object.entries(change).every(([name, value]) => choice[name as keyof Choice] === value),
  ).map(([word]) => word);
  const numbers = NUMBERS.filter(([, name]) => choice[name] !== DEFAULT[name]).map(
    // The decimal point would look like the dot between parts.
    ([letter, name]) => letter + String(choice[name]).replace(".", ","),
  );
  return [net, ...words, ...numbers].join(".");
}

/** The choice that `encode` wrote; undefined if it is none. */
export function decode(text: string): Choice | undefined {
  const [net, ...parts] = text.split(".");
  const found = /^(?:plain(\d+)|resnet(\d+)([ABC]))$/.exec(net);
  if (!found) return undefined;
  const choice = { ...DEFAULT, depth: Number(found[1] ?? found[2]) };
  choice.shortcut = (found[3] as Shortcut | undefined) ?? "none";
  for (const part of parts) {
    const word = WORDS.find(([each]) => each === part);
    const [, letters, digits] = /^([a-z]+)([\d,e+-]+)$/.exec(part) ?? [];
    const number = NUMBERS.find(([each]) => each === letters);
    if (word) Object.assign(choice, word[1]);
    else if (number) choice[number[1]] = Number(digits.replace(",", "."));
    else return undefined;
  }
  const names = Object.keys(LIMITS) as NumberName[];
  return names.every((name) => allowed(name, choice[name])) ? choice : undefined;
}
