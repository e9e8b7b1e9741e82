// What makes no net or no training, said in one sentence.
import type { NetChoice, Splits, TrainChoice } from "./types.ts";

/** Throw a RangeError unless the choices make a net that can be trained on these images. */
export function check(net: NetChoice, train: TrainChoice, images: Splits): void {
  whole("depth", net.depth, 8);
  if ((net.depth - 2) % 6) {
    const below = net.depth - ((net.depth - 2) % 6);
    throw new RangeError(
      `depth ${net.depth} is not 6n+2: the nearest valid depths are ${below} and ${below + 6}.`,
    );
  }
  oneOf("shortcut option", net.shortcut, ["none", "A", "B", "C"]);
  oneOf("order", net.order, ["original", "preactivation"]);
  oneOf("initialisation", net.init, ["he", "xavier", "small"]);
  if (net.widths.length !== 3) {
    throw new RangeError(`widths [${net.widths}] must be three: of conv2_x, conv3_x and conv4_x.`);
  }
  for (const width of net.widths) whole("width", width, 1);
  const [first, second, third] = net.widths;
  if (net.shortcut === "A" && (second < first || third < second)) {
    throw new RangeError(
      `option A pads with zero channels, so widths [${net.widths}] must not shrink.`,
    );
  }
  whole("seed", net.seed, 0, 2 ** 32 - 1);
  whole("batch size", train.batchSize, 2, images.train.count);
  whole("warm-up", train.warmup, 0);
  for (const milestone of train.milestones) whole("milestone", milestone, 1);
  for (const [name, value] of [
    ["learning rate", train.learningRate],
    ["momentum", train.momentum],
    ["weight decay", train.weightDecay],
  ] as const) {
    if (!(Number.isFinite(value) && value >= 0)) {
      throw new RangeError(`${name} is ${value}: it must be a finite number of at least 0.`);
    }
  }
  for (const { pixels, labels, size, channels, count } of [images.train, images.test]) {
    const bytes = count * channels * size * size;
    if (pixels.length !== bytes || labels.length !== count) {
      throw new RangeError(
        `${count} images of ${channels}x${size}x${size} need ${bytes} bytes and ${count} labels, ` +
          `not ${pixels.length} and ${labels.length}.`,
      );
    }
  }
}

function whole(name: string, value: number, low: number, high = Infinity): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  const range = high === Infinity ? `of at least ${low}` : `from ${low} to ${high}`;
  throw new RangeError(`${name} is ${value}: it must be a whole number ${range}.`);
}

function oneOf(name: string, value: string, choices: string[]): void {
  if (choices.includes(value)) return;
  throw new RangeError(`${name} "${value}" is unknown: it is one of ${choices.join(", ")}.`);
}
