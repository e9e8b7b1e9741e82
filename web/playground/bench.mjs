// Times the engine for ci/bench.py. Each line of standard input asks for one measurement: a depth
// and a shortcut option ("20 A"), answered with milliseconds a training step, or "peak", answered
// with GFLOP/s of the machine's SIMD.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { DEFAULT_NET, DEFAULT_TRAIN, kernels, loadEngine, readImages } from "./node.mjs";

const STEPS = 20, ROUNDS = 200_000;
const file = readFileSync(new URL("../../resnet_lib/widgets/playground-data.gz", import.meta.url));
const images = await readImages(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
const engine = await loadEngine();
const memory = new WebAssembly.Memory({ initial: 1 });
const { instance } = await WebAssembly.instantiate(kernels, { env: { memory, abort() {} } });
const trainers = new Map();

function peak() {
  const start = performance.now();
  instance.exports.peak(ROUNDS);
  return (2 * 48 * ROUNDS) / (performance.now() - start) / 1e6;
}

function step(name) {
  if (!trainers.has(name)) {
    const [depth, shortcut] = name.split(" ");
    const net = { ...DEFAULT_NET, depth: Number(depth), shortcut };
    const trainer = engine.train(net, DEFAULT_TRAIN, images);
    for (let i = 0; i < STEPS; i++) trainer.step();
    trainers.set(name, trainer);
  }
  const trainer = trainers.get(name);
  const start = performance.now();
  for (let i = 0; i < STEPS; i++) trainer.step();
  return (performance.now() - start) / STEPS;
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(line === "peak" ? peak() : step(line));
}
