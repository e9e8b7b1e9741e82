// The lessons' nets, and what was measured of them.
import { type Choice, DEFAULT, encode } from "./choices.ts";
import type { Lesson, Measured } from "./lessons.ts";

const net = (change: Partial<Choice>): Choice => ({ ...DEFAULT, ...change });
const plain = (depth: number, change: Partial<Choice> = {}): Choice => net({ depth, shortcut: "none", ...change });
const residual = (depth: number, change: Partial<Choice> = {}): Choice => net({ depth, shortcut: "A", ...change });

export const presets: Lesson[] = [
  { id: "shallow", kind: "lowest", arms: [plain(8), plain(20)] },
  { id: "longer", kind: "gap", arms: [plain(8), plain(20), plain(8, { steps: 1500 }), plain(20, { steps: 1500 })] },
  { id: "deep", kind: "lowest", arms: [plain(20), plain(56)] },
  { id: "shortcuts", kind: "lowest", arms: [plain(56), residual(56)] },
  { id: "nobn", kind: "learns", arms: [plain(20, { batchNorm: false }), residual(20, { batchNorm: false })] },
  { id: "rate", kind: "lowest", arms: [residual(56, { learningRate: 0.5 }), residual(56, { learningRate: 0.5, warmup: 50 })] },
  { id: "options", kind: "lowest", arms: [residual(56), residual(56, { shortcut: "B" }), residual(56, { shortcut: "C" })] },
  { id: "deepest", kind: "learns", arms: [plain(110), residual(110)] },
  { id: "init", kind: "learns", arms: [plain(20, { batchNorm: false }), plain(20, { batchNorm: false, init: "xavier" }), plain(20, { batchNorm: false, init: "small" })] },
  { id: "rescue", kind: "rescue", arms: [plain(56), residual(56)] },
];

const outcomes: Record<string, Measured> = {};

export const outcomeOf = (choice: Choice): Measured | undefined => outcomes[encode({ ...choice, seed: 0, seeds: 1 })];
