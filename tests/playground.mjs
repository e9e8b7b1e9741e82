// Runs the playground's engine for tests/test_playground.py: requests on standard input, answers on
// standard output, both JSON. A request is {net, train, images, steps, evaluate, tensors};
// images is the path of an image file, tensors asks for weights and gradients around the last step. Numbers of tensors travel as hexadecimal bytes, so that none is rounded.
import { readFileSync } from "node:fs";
import { loadEngine, readImages } from "../web/playground/node.mjs";

const hex = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("hex");
const readable = (tensors) =>
  tensors.map(({ name, shape, values, gradient }) => ({
    name, shape, values: hex(values), gradient: gradient && hex(gradient),
  }));

async function answer(engine, { net, train, images, steps = 1, evaluate = false, tensors = true }) {
  const bytes = readFileSync(images);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const splits = await readImages(file);
  let trainer;
  try {
    trainer = engine.train(net, { steps, ...train }, splits);
  } catch (error) {
    if (error instanceof RangeError) return { refused: error.message };
    throw error;
  }
  const rows = [], batches = [];
  let before;
  for (let i = 0; i < steps; i++) {
    if (tensors && i === steps - 1) before = readable(trainer.tensors());
    rows.push(trainer.step());
    batches.push([...trainer.batch]);
  }
  const out = {
    rows, batches, before,
    signals: trainer.signals(),
    after: tensors && readable(trainer.tensors()),
    evaluated: evaluate && { train: trainer.evaluate("train"), test: trainer.evaluate("test") },
    parameters: trainer.parameters,
    multiply_adds: trainer.multiplyAdds,
    diverged: trainer.diverged,
  };
  trainer.free();
  return { ...out, bytes: engine.bytes };
}

const engine = await loadEngine();
const answers = [];
for (const request of JSON.parse(readFileSync(0, "utf8"))) answers.push(await answer(engine, request));
process.stdout.write(JSON.stringify(answers));
