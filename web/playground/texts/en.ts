// Every word that the playground shows, in English. texts/index.ts lists the languages.
import type { NumberName } from "../choices.ts";
import type { State } from "../runs.ts";

const SMALL = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const several = (count: number, noun: string): string =>
  `${SMALL[count] ?? count} ${noun}${count === 1 ? "" : "s"}`;

export const en = {
  tag: "en",

  depth: "Depth",
  layers: (depth: number) => `${depth} layers`,
  shortcut: "Shortcuts of the residual net",
  options: {
    A: "Option A: the block's input is added as it is, with zeros for new channels. No parameters.",
    B: "Option B: as A, but where the size changes a 1x1 convolution projects the input.",
    C: "Option C: a 1x1 convolution projects the input of every block.",
  },
  optionOf: (option: string) => `option ${option}`,

  train: "Train",
  pause: "Pause",
  resume: "Go on",
  step: "Step",
  stop: "Stop",
  reset: "Reset",
  stepHelp: "One iteration, then wait",
  resetHelp: "Remove all nets and set every choice back",

  net: (name: string, cost: string) => `${name}: ${cost}`,
  cost: (parameters: string, multiplyAdds: string) =>
    `${parameters} parameters, ${multiplyAdds} multiply-adds an image`,
  and: (names: string[]) =>
    names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`,
  million: (value: string) => `${value} million`,

  ready: (names: string) => `Train starts ${names} from the same weights, on the same batches.`,
  readyOne: (name: string) => `Train starts ${name}.`,
  at: (iteration: string, steps: string) => `Iteration ${iteration} of ${steps}`,
  left: (time: string) => `${time} left`,
  seconds: (value: number) => (value < 1 ? "less than 1 s" : `about ${value} s`),
  minutes: (value: string) => `about ${value} min`,
  estimate: (time: string) => `${time} on this machine`,
  pausedAt: (at: string) => `${at}, paused`,
  result: (name: string, loss: string, train: string, test: string) =>
    `${name}: training loss ${loss}, training error ${train}, test error ${test}.`,
  started: (names: string) => `Training ${names}.`,
  divergedAt: (name: string, iteration: number) =>
    `${name} diverged: after ${several(iteration, "iteration")} its loss was no longer a number. ` +
    `A smaller learning rate, warm-up or BN may keep it finite.`,
  failed: (name: string, why: string) => `${name} could not be trained: ${why}`,
  there: (names: string) =>
    `${names} is there already, and the same choices give the same numbers. Change a choice, ` +
    `or press a net's name to run it again.`,
  pending: (count: number) =>
    `The address names ${several(count, "net")}. Train runs them again, to the same numbers.`,

  loss: "Loss",
  error: "Error",
  show: "Show",
  lossAxis: "training loss",
  errorAxis: "error, %",
  iterations: "iterations",
  empty: "Press Train.",
  lossNote: "Bold: moving average over about ten batches; faint: every batch.",
  errorNote: "Thin: training error of the batches, averaged. Bold: test error.",
  seedsNote: "With several seeds the line is their mean, the band reaches from the lowest to the highest.",
  chartAlt: (what: string, lines: string) => `Line chart of ${what} over iterations. ${lines}`,
  lineAlt: (name: string, value: string) => `${name} is at ${value}.`,

  nets: "Nets",
  loss50: "training loss",
  trainError: "training error",
  testError: "test error",
  lossHelp: "mean of the last 50 batches",
  trainErrorHelp: "of all training images, when the run is over",
  testErrorHelp: "of the test images, at the last evaluation",
  atMoment: (iteration: string) => `at iteration ${iteration}`,
  hide: "Hide",
  unhide: "Show",
  clone: "Copy choices",
  cloneHelp: "Put this net's choices into the controls",
  rerun: "Run again",
  remove: "Remove",
  hidden: "hidden",
  states: {
    new: "not trained yet",
    waiting: "waits for its turn",
    running: "trains",
    paused: "paused",
    done: "",
    stopped: "stopped",
    diverged: "diverged",
    failed: "failed",
  } satisfies Record<State, string>,
  took: (time: string, speed: string) => `${time}, ${speed} ms an iteration`,

  share: "Copy link",
  shared: "The link is in the clipboard.",
  notShared: "The browser did not let the page use the clipboard; the link is in the address bar.",
  csv: "CSV",
  csvHelp: "Download every number of these nets",
  png: "Image",
  pngHelp: "Download the chart as an image",

  more: "More choices",
  which: "Nets to train",
  twins: "plain and residual, side by side",
  residualOnly: "the residual net only",
  plainOnly: "the plain net only",
  order: "Order within a block",
  original: "original: ReLU after the addition",
  preactivation: "pre-activation: BN and ReLU before each convolution",
  batchNorm: "Batch normalisation (BN)",
  init: "Initial weights",
  inits: { he: "He", xavier: "Xavier", small: "normal, deviation 0.01" },
  drops: "Divide the learning rate by 10 at 1/2 and 3/4 of the iterations",
  numbers: {
    depth: "Depth",
    width: "Channels of conv2_x",
    learningRate: "Learning rate",
    warmup: "Warm-up, iterations",
    batchSize: "Batch size",
    steps: "Iterations",
    momentum: "Momentum",
    weightDecay: "Weight decay",
    seed: "First seed",
    seeds: "Number of seeds",
  } satisfies Record<NumberName, string>,
  warmupHelp: "at a tenth of the learning rate",
  notAllowed: (name: string, low: string, high: string, whole: boolean) =>
    `${name} must be ${whole ? "a whole number" : "a number"} from ${low} to ${high}.`,
  differs: {
    order: "pre-activation",
    batchNorm: "without BN",
    xavier: "Xavier",
    small: "small weights",
    drops: "rate divided by 10 twice",
    width: (value: string) => `${value} channels`,
    learningRate: (value: string) => `rate ${value}`,
    warmup: (value: string) => `warm-up ${value}`,
    batchSize: (value: string) => `batch ${value}`,
    steps: (value: string) => `${value} iterations`,
    momentum: (value: string) => `momentum ${value}`,
    weightDecay: (value: string) => `weight decay ${value}`,
    seed: (value: string) => `seed ${value}`,
    seeds: (value: string) => `${value} seeds`,
  },

  inside: "Layer by layer",
  signals: {
    activationGradient: "Activation gradient",
    weightGradient: "Weight gradient",
    response: "Response",
  },
  signalAxes: {
    activationGradient: "norm of the activation gradient",
    weightGradient: "norm of the weight gradient",
    response: "response, standard deviation",
  },
  signalNotes: {
    activationGradient:
      "How strongly the loss still depends on each layer's output: the back-propagated signal.",
    weightGradient: "How strongly the loss depends on each layer's weights.",
    response: "How much each layer's output varies, after BN and before ReLU or addition.",
  },
  layerAxis: "layer, from first (0) to last (1)",
  moment: "Iteration",
  live: "latest",
  scrubHelp: "Drag here or in the chart above to look back in time.",
  layersEmpty: "The layers appear with the first iteration.",

  lessons: "Questions",
  lessonsIntro: "Each asks for a prediction before it trains. A wrong guess teaches more than a right figure.",
  leave: "Leave the question",
  predict: "Your prediction",
  commit: "That is my prediction",
  committed: (answer: string) => `You predicted: ${answer}`,
  first: "Choose an answer; then you can train.",
  answered: "answered",
  cameOut: "What came out here",
  measured: (seeds: number) => `What we measured, ${several(seeds, "seed")}`,
  range: (mean: string, low: string, high: string) => `${mean} (${low} to ${high})`,
  right: "As you predicted.",
  wrong: "Not what you predicted.",
  recorded: (name: string) => `${name}, measured`,

  noWasm:
    "This browser has no WebAssembly with SIMD, so nothing can be trained here; the figure shows recorded runs.",
  noWorkers:
    "This browser lets the page start no Web Workers, so nothing can be trained here; the figure shows recorded runs.",
  noData: (why: string) =>
    `The images could not be loaded (${why}), so nothing can be trained here; the figure shows recorded runs.`,
  badAddress: (part: string) => `The address asks for “${part}”, which is no choice of the playground; it was left out.`,

  data: (name: string, train: string, test: string, size: number) =>
    `${name}: ${train} training and ${test} test images of ${size}x${size} pixels.`,
};

export type Texts = typeof en;
