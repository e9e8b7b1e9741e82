// Record the curves that a page shows where the playground cannot run: plain and residual nets of
// 20 and 56 layers, five seeds each, as the playground trains them. About two minutes.
//   node ci/record_playground.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { loadEngine, readImages } from "../web/playground/node.mjs";

const widgets = new URL("../resnet_lib/widgets/", import.meta.url);
const SEEDS = [0, 1, 2, 3, 4];
const EVERY = 10; // a point is the mean loss of so many batches
const training = {
  learningRate: 0.02, warmup: 0, batchSize: 64, steps: 300, momentum: 0.9, weightDecay: 0, milestones: [],
};

const images = await readImages(readFileSync(new URL("playground-data.gz", widgets)).buffer);
const engine = await loadEngine();
const nets = [];
for (const depth of [20, 56]) {
  for (const [kind, shortcut] of [["plain", "none"], ["residual", "A"]]) {
    const net = { depth, shortcut, order: "original", batchNorm: true, init: "he", widths: [8, 16, 32] };
    const seeds = SEEDS.map((seed) => {
      const trainer = engine.train({ ...net, seed }, training, images);
      const means = [];
      while (trainer.iteration < training.steps) {
        let sum = 0;
        for (let i = 0; i < EVERY; i++) sum += trainer.step().loss;
        means.push(Number((sum / EVERY).toFixed(4)));
      }
      trainer.free();
      return means;
    });
    nets.push({ model: `${kind === "plain" ? "plain" : "resnet"}${depth}`, kind, depth, loss: seeds });
    console.log(nets.at(-1).model, seeds.map((means) => means.at(-1)).join(" "));
  }
}
const file = new URL("playground-curves.json", widgets);
writeFileSync(file, `${JSON.stringify({ every: EVERY, seeds: SEEDS, nets })}\n`);
