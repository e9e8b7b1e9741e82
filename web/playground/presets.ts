// The lessons' nets. What each asks and teaches is said on the page, under its id; what came of it
// on ten seeds stands in outcomes.json, which `node measure.mjs` writes.
import type { NetChoice, TrainChoice } from "./types.ts";

/** One net of a lesson; `name` tells it from its neighbours. */
export interface Arm {
  name: string;
  net: NetChoice;
  train: TrainChoice;
}

export interface Preset {
  id: string;
  arms: Arm[];
}

export const DEFAULT_NET: NetChoice = {
  depth: 20,
  shortcut: "A",
  order: "original",
  batchNorm: true,
  init: "he",
  widths: [8, 16, 32],
  seed: 0,
};

// 0.02 was chosen after seeing results; others change little for plain-56 (outcomes.json).
export const DEFAULT_TRAIN: TrainChoice = {
  learningRate: 0.02,
  warmup: 0,
  batchSize: 64,
  steps: 300,
  momentum: 0.9,
  weightDecay: 0,
  milestones: [],
};

function arm(
  name: string,
  depth: number,
  shortcut: NetChoice["shortcut"],
  net: Partial<NetChoice> = {},
  train: Partial<TrainChoice> = {},
): Arm {
  return {
    name,
    net: { ...DEFAULT_NET, depth, shortcut, ...net },
    train: { ...DEFAULT_TRAIN, ...train },
  };
}

const LONGER = { steps: 5 * DEFAULT_TRAIN.steps };
const WITHOUT_BN = { batchNorm: false };

export const PRESETS: Preset[] = [
  { id: "plain-8-20", arms: [arm("plain8", 8, "none"), arm("plain20", 20, "none")] },
  {
    id: "five-times-longer",
    arms: [arm("plain8", 8, "none", {}, LONGER), arm("plain20", 20, "none", {}, LONGER)],
  },
  { id: "plain-20-56", arms: [arm("plain20", 20, "none"), arm("plain56", 56, "none")] },
  {
    id: "with-shortcuts",
    arms: [arm("plain56", 56, "none"), arm("resnet56", 56, "A"), arm("resnet20", 20, "A")],
  },
  {
    id: "without-bn",
    arms: [
      arm("plain20, no BN", 20, "none", WITHOUT_BN),
      arm("resnet20, no BN", 20, "A", WITHOUT_BN),
      arm("resnet56, no BN", 56, "A", WITHOUT_BN),
    ],
  },
  {
    id: "large-rate",
    arms: [
      arm("no warm-up", 56, "A", {}, { learningRate: 0.5 }),
      arm("50 iterations of warm-up", 56, "A", {}, { learningRate: 0.5, warmup: 50 }),
    ],
  },
  {
    id: "options",
    arms: [arm("option A", 56, "A"), arm("option B", 56, "B"), arm("option C", 56, "C")],
  },
  { id: "110-layers", arms: [arm("plain110", 110, "none"), arm("resnet110", 110, "A")] },
  {
    id: "initialisation-without-bn",
    arms: [
      arm("He", 20, "none", { ...WITHOUT_BN, init: "he" }),
      arm("Xavier", 20, "none", { ...WITHOUT_BN, init: "xavier" }),
      arm("small", 20, "none", { ...WITHOUT_BN, init: "small" }),
    ],
  },
  {
    id: "initialisation-with-bn",
    arms: [
      arm("He", 20, "none", { init: "he" }),
      arm("Xavier", 20, "none", { init: "xavier" }),
      arm("small", 20, "none", { init: "small" }),
    ],
  },
  {
    id: "rescue-plain-56",
    arms: [
      arm("plain56", 56, "none"),
      arm("lower learning rate", 56, "none", {}, { learningRate: 0.005 }),
      arm("higher learning rate", 56, "none", {}, { learningRate: 0.1 }),
      arm("warm-up", 56, "none", {}, { warmup: 100 }),
      arm("Xavier initialisation", 56, "none", { init: "xavier" }),
      arm("three times the iterations", 56, "none", {}, { steps: 3 * DEFAULT_TRAIN.steps }),
      arm("shortcuts", 56, "A"),
    ],
  },
];

/** With these each net was measured: its first weights and the order of its images. */
export const SEEDS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
