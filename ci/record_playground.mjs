// Record what the book says of the playground's nets and shows where the playground cannot run: plain
// and residual nets of 8, 20 and 56 layers. Three or four minutes.
//   node ci/record_playground.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { loadEngine, readImages, SEEDS } from "../web/playground/node.mjs";

const widgets = new URL("../resnet_lib/widgets/", import.meta.url);
const EVERY = 10; // a point of a curve is the mean loss of so many batches
const training = {
  learningRate: 0.02, warmup: 0, batchSize: 64, steps: 300, momentum: 0.9, weightDecay: 0, milestones: [],
};

const { buffer, byteOffset, length } = readFileSync(new URL("playground-data.gz", widgets));
const images = await readImages(buffer.slice(byteOffset, byteOffset + length));
const engine = await loadEngine();

/** The activation gradient at the first convolution over that at the last. */
function ratio(trainer) {
  const signals = trainer.signals();
  return signals[0].activationGradient / signals.at(-1).activationGradient;
}

function run(net) {
  const trainer = engine.train(net, training, images);
  const found = { loss: [] };
  while (trainer.iteration < training.steps) {
    let sum = 0;
    for (let i = 0; i < EVERY; i++) {
      sum += trainer.step().loss;
      found.gradient_start ??= ratio(trainer);
    }
    found.loss.push(Number((sum / EVERY).toFixed(4)));
  }
  found.gradient_end = ratio(trainer);
  for (const split of ["train", "test"]) found[`${split}_error`] = 100 * trainer.evaluate(split).error;
  trainer.free();
  return found;
}

const nets = [];
for (const depth of [8, 20, 56]) {
  for (const [kind, shortcut] of [["plain", "none"], ["residual", "A"]]) {
    const net = { depth, shortcut, order: "original", batchNorm: true, init: "he", widths: [8, 16, 32] };
    nets.push({ kind, depth, runs: SEEDS.map((seed) => ({ seed, ...run({ ...net, seed }) })) });
    console.log(kind, depth);
  }
}
const file = new URL("playground-curves.json", widgets);
writeFileSync(file, `${JSON.stringify({ every: EVERY, nets })}\n`);
