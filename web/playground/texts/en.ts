// Every word that the playground shows, in English. texts/index.ts lists the languages.
import type { NumberName } from "../choices.ts";
import type { State } from "../runs.ts";

const SMALL = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const several = (count: number, noun: string): string =>
  `${SMALL[count] ?? count} ${noun}${count === 1 ? "" : "s"}`;

const counted = (value: string, noun: string): string => `${value} ${noun}${value === "1" ? "" : "s"}`;

export const en = {
  tag: "en",
  name: "Residual Playground",
  samples: "The nets learn to tell ten kinds of clothing apart, on pictures as coarse as these:",
  classOf: (name: string) => ({ tshirt: "T-shirt", "ankle-boot": "ankle boot" })[name] ?? name,

  depth: "Depth",
  layers: (depth: number) => `${depth} layers`,
  shortcut: "Shortcuts of the residual net",
  options: {
    A: "Option A: the block's input is added as it is, with zeros for new channels. No parameters.",
    B: "Option B: as A, but where the dimensions change a 1x1 convolution projects the input.",
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
  variant: (name: string, differences: string) => `${name} (${differences})`,
  comma: ", ",
  space: " ",
  semicolon: "; ",
  and: (names: string[]) =>
    names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`,
  million: (value: string) => `${value} million`,

  at: (iteration: string, steps: string) => `Iteration ${iteration} of ${steps}`,
  left: (time: string) => `${time} left`,
  seconds: (value: number) => (value < 1 ? "less than 1 s" : `about ${value} s`),
  minutes: (value: string) => `about ${value} min`,
  stopping: "Stopping, once all images are judged…",
  estimate: (time: string) => `Next training: ${time} on this machine`,
  pausedAt: (at: string) => `${at}, paused`,
  result: (name: string, loss: string, train: string, test: string) =>
    `${name}: training loss ${loss}, training error ${train}, test error ${test}.`,
  started: (names: string) => `Training ${names}.`,
  divergedAt: (name: string, iteration: number) =>
    `${name} diverged: after ${several(iteration, "iteration")} its loss was no longer a number. ` +
    `A smaller learning rate, warm-up or BN may keep it finite.`,
  explodedTo: (name: string, loss: string) =>
    `${name} exploded: its training loss, ${loss}, is more than ten times that of guessing (ln 10, about 2.3). ` +
    `A smaller learning rate, warm-up or BN may keep it in bounds.`,
  failed: (name: string, why: string) => `${name} could not be trained: ${why}`,
  noWorker: "the browser did not start its Web Worker, or ended it.",
  notBegun: (name: string) => `${name} was stopped before its first iteration.`,
  there: (names: string, count: number) =>
    `${names} ${count > 1 ? "are" : "is"} there already, and the same choices give the same numbers. Change a choice, ` +
    `or press a net's name to run it again.`,
  pending: (count: number) =>
    `The address names ${several(count, "net")}. Train runs ${count > 1 ? "them" : "it"} again, to the last iteration ` +
    `even where a net had been stopped; every iteration gives the same numbers as before.`,

  loss: "Loss",
  error: "Error",
  show: "Show",
  lossAxis: "training loss",
  errorAxis: "error, %",
  iterations: "iterations",
  empty: "Press Train.",
  allHidden: "All nets are hidden.",
  predictFirst: "Predict first.",
  unfinished: "A net did not come to its end. Press Train for the result.",
  nextTime: "For the next training: ",
  wasReset: "All is as at the beginning. ",
  undo: "Undo",
  guessing: "guessing",
  lossNote: (single: boolean) =>
    `Bold: moving average over about ten batches${single ? "; faint: every batch" : ""}.`,
  errorNote: "Thin: training error of the batches, averaged. Bold: test error.",
  seedsNote: "With several seeds the line is their mean, the band reaches from the lowest to the highest.",
  recordedNote: "* Dotted: recorded with the usual choices, ten seeds.",
  chartAlt: (what: string, lines: string) => `Line chart of ${what} over iterations. ${lines}`,
  lineAlt: (name: string, value: string) => `${name} is at ${value}.`,

  nets: "Nets",
  loss50: "training loss",
  trainError: "training error",
  testError: "test error",
  /** What the numbers of the table are: now, or at a moment that is looked back to. */
  tableNote: (back: boolean, seeds: boolean) =>
    (back
      ? "Training loss and error: moving averages over about ten batches, as in the chart. "
      : "Training loss: mean of the last 50 batches (the line in the chart: about ten). " +
        "Training error: of the latest batches; after the run, of all training images. ") +
    "Test error: at the last evaluation, with its iteration where that is an earlier one." +
    (seeds ? " With several seeds: the mean, and below it the lowest and the highest." : ""),
  atMoment: (iteration: string) => `at iteration ${iteration}`,
  testedAt: (iteration: string) => `at\u00a0${iteration}`,
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
    stopping: "stopping…",
    done: "",
    stopped: "stopped",
    diverged: "diverged",
    failed: "failed",
  } satisfies Record<State, string>,
  stoppedAt: (iteration: string, steps: string) => `stopped at iteration ${iteration} of ${steps}`,
  exploded: "loss exploded",
  took: (cost: string, time: string, speed: string) => `${cost}. Trained for ${time}, ${speed} ms an iteration.`,

  share: "Copy link",
  shared: "The link is in the clipboard.",
  notShared: "The browser did not let the page use the clipboard; the link is in the address bar.",
  csv: "CSV",
  csvHelp: "Download every number of these nets",
  png: "Image",
  pngHelp: "Download the chart as an image",
  noImage: "The browser could not make an image of the chart.",

  more: "More choices",
  which: "Nets to train",
  twins: "plain and residual",
  residualOnly: "residual only",
  plainOnly: "plain only",
  order: "Order within a block",
  original: "original",
  preactivation: "pre-activation",
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
  warmupAll: (steps: string) =>
    `All ${steps} iterations are warm-up: the whole run has a tenth of the learning rate.`,
  kept: (wrong: string, value: string) => `${wrong} ${value} stays.`,
  notAllowed: (name: string, low: string, high: string, whole: boolean) =>
    `${name} must be ${whole ? "a whole number" : "a number"} from ${low} to ${high}.`,
  differs: {
    order: "pre-activation",
    batchNorm: "without BN",
    xavier: "Xavier",
    small: "small weights",
    drops: "rate divided by 10 twice",
    width: (value: string) => counted(value, "channel"),
    learningRate: (value: string) => `rate ${value}`,
    warmup: (value: string) => `warm-up ${value}`,
    batchSize: (value: string) => `batch ${value}`,
    steps: (value: string) => counted(value, "iteration"),
    momentum: (value: string) => `momentum ${value}`,
    weightDecay: (value: string) => `weight decay ${value}`,
    seed: (value: string) => `seed ${value}`,
    seeds: (value: string) => counted(value, "seed"),
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
    response:
      "How much each layer's output varies before ReLU or addition; after BN, where a net has it in the original order.",
  },
  layerAxis: "layer, from first (0) to last (1)",
  moment: "Iteration",
  live: "latest",
  toLatest: "Back to the latest",
  scrubHelp: "Drag here or in the chart above to look back in time.",
  layersEmpty: "The layers appear with the first iteration.",
  nothing: "Nothing to draw here.",
  layersLost:
    "Where every number is 0 or not finite, as in a net that diverged, there is nothing to draw; look back in time below.",

  lessons: "Questions",
  lessonsIntro: "Each asks for a prediction before it trains. A wrong guess teaches more than a right figure.",
  leave: "Leave the question",
  predict: "Your prediction",
  predictTicks: "Your prediction: tick the nets that learn",
  commit: "Commit",
  again: "Predict again",
  nextQuestion: (title: string) => `Next question: ${title}`,
  committed: (answer: string) => `You predicted: ${answer}.`,
  answered: "answered",
  cameOut: "here",
  measured: (seeds: number) => (seeds ? `measured, ${several(seeds, "seed")}` : "measured"),
  range: (mean: string, low: string, high: string) => `${mean} (${low} to ${high})`,
  lost: (lost: number, all: number) => `${lost} of ${all} diverged`,
  weFound: (answer: string, seeds: number) => `Over ${several(seeds, "seed")} we found: ${answer}.`,
  right: "As you predicted.",
  wrong: "Not what you predicted.",
  answers: {
    gap: {
      closes: "the gap closes",
      shrinks: "the gap shrinks, but stays open",
      stays: "the gap stays as it is, or grows",
    },
    none: "no clear winner: no net is the lowest with every seed",
    noneLearns: "none of them learns",
    allLearn: (count: number): string => (count === 2 ? "both learn" : "all of them learn"),
    someLearn: (some: string, others: string, count: number) =>
      `${some} ${some.includes(" and ") ? "learn" : "learns"}; ${others} ${count === 1 ? "does" : "do"} not`,
    rescue: (reached: number, tries: number) => `${reached || "none"} of ${tries} tries`,
  },
  theSwitch: "Shortcuts",
  triesSoFar: (tries: number, all: number, reached: number) =>
    `Tries: ${tries} of ${all}. Reached the dotted line: ${reached}.`,
  reachedHere: (reached: number, tries: number) =>
    `Of your ${tries} tries, ${reached || "none"} reached the dotted line.`,
  reachedMeasured: (reached: number, all: number) =>
    `Of the ${all} settings that we measured, ${reached || "none"} did.`,
  unlock: "The switch is yours now: turn the shortcuts on, and train once more.",
  residualLine: (seeds: number) => `ResNet-56, the highest of ${several(seeds, "seed")}`,
  questions: {
    "plain-8-20": {
      title: "8 layers against 20, plain",
      question: "Two plain nets, the same images, the same number of iterations. Which ends with the lower training loss?",
      after: "The deeper net could copy the shallower one and let its other layers pass their input on. That such weights exist does not mean that SGD finds them.",
    },
    "five-times-longer": {
      title: "Five times as long",
      question: "Perhaps the deeper plain net is only slower. With 1,500 iterations instead of 300, what becomes of the gap in training loss between plain-8 and plain-20?",
      after: "The paper gave its plain nets three times the iterations, and that did not cure the degradation (section 4.1, footnote 3). More iterations than these might still close it here.",
    },
    "plain-20-56": {
      title: "20 layers against 56, plain",
      question: "The same question at the depths of the paper's Figure 1. Which ends with the lower training loss?",
      after: "Worse on the very images that the net is trained on: that is degradation. Overfitting would be the opposite.",
    },
    "with-shortcuts": {
      title: "The same depth, with shortcuts",
      question: "Twins of 56 layers with the same weights at the start and the same batches; one has shortcuts, which add no parameter. Beside them a residual net of 20 layers. Which of the three ends with the lowest training loss?",
      after: "Between the twins nothing differs but the additions. In the paper the deeper residual net also beats the shallower one (Table 6); nets as small as these, trained as briefly, do not show that.",
    },
    "without-bn": {
      title: "Turn BN off",
      question: "Three nets lose their batch normalisation. Which of them still learn, that is, end with at most half of the training images wrong?",
      after: "Without BN each block adds in proportion to its input, so that the signal can multiply from block to block; with BN what a block adds has one size, and the signal grows slowly. Look at the responses under Layer by layer. (What we found is the mean over the seeds: single ones can end otherwise.)",
    },
    "large-rate": {
      title: "A large learning rate, without warm-up and with it",
      question: "Both residual nets train with a learning rate far above the usual one. One spends its first iterations at a tenth of it. Which ends with the lower training loss?",
      after: "The paper warmed its ResNet-110 up in this way, as its usual rate was slightly too large to start converging (section 4.2).",
    },
    options: {
      title: "Option A, B or C",
      question: "Identity and zeros (A), projections where the dimensions change (B), projections everywhere (C). Which ends with the lowest training loss?",
      after: "In the paper C is slightly better than B, and B than A, at 34 layers on ImageNet (Table 3). With a projection on every shortcut no path through the net is left on which a signal passes unchanged; in a deep net trained this briefly that can outweigh the added parameters.",
    },
    "110-layers": {
      title: "110 layers",
      question: "Twins of 110 layers. Which of them learns, that is, ends with at most half of the training images wrong?",
      after: "In the paper ResNet-110, after a warm-up, has a test error of 6.61%, the mean of five runs (Table 6), and plain-110 stays above 60% (Figure 6, caption).",
    },
    "initialisation-without-bn": {
      title: "Initial weights, without BN",
      question: "Three plain nets without BN, which would hide the scale of the weights. One draws its first weights by He's rule, as usual, one by Xavier's, one from a normal distribution of deviation 0.01. Which of them learn, that is, end with at most half of the training images wrong?",
      after: "He's variance, 2 divided by the number of inputs, makes up for the half that ReLU cuts away; with smaller weights the signal fades layer by layer. Look at the responses under Layer by layer.",
    },
    "initialisation-with-bn": {
      title: "The same first weights, with BN",
      question: "The same three ways to draw the first weights (He's is the usual one), now with BN after each convolution. Which net ends with the lowest training loss?",
      after: "BN divides by the deviation of what it gets, so the scale of the weights before it disappears from the output: compare the responses with those of the nets without BN. It does not disappear from training. Under BN, weights half as large have gradients twice as large, so one learning rate turns small weights further.",
    },
    "rescue-plain-56": {
      title: "Rescue plain-56",
      question: "The shortcuts are locked. You have five tries with other means: the learning rate, warm-up, the first weights, three times the iterations. How many of your tries will bring plain-56 down to the dotted line, the highest loss of ten residual nets of the same depth after 300 iterations?",
      after: "One switch, no parameter added.",
    },
  },

  noWasm:
    "This browser has no WebAssembly with SIMD, so nothing can be trained here; the figure shows recorded runs.",
  noWorkers:
    "This browser lets the page start no Web Workers, so nothing can be trained here; the figure shows recorded runs.",
  noData: (why: string) =>
    `The images could not be loaded (${why}), so nothing can be trained here; the figure shows recorded runs.`,
  badAddress: (part: string) => `The address asks for “${part}”, which is no choice of the playground; it was left out.`,

  data: (name: string, train: string, test: string) => `${name}: ${train} training and ${test} test images.`,
};

export type Texts = typeof en;
