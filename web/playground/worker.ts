// A Web Worker that trains one net and reports about 30 times a second. What it computes depends on
// the choices only, never on when it reports or is paused.
import { loadEngine } from "./engine.ts";
import type { Evaluation, Order, Progress, Report, Signals, Start } from "./messages.ts";
import type { Trainer } from "./types.ts";

const REPORT_EVERY = 33; // milliseconds
const EVALUATIONS = 12; // of the test set in a run
const SNAPSHOTS = 60; // of the layers' signals in a run

let paused = false;
let owed = 0; // single steps to take while paused
let stopping = false;
let wake = (): void => {};

const tell = (report: Report): void => postMessage(report);

// A timer would wait at least 4 ms; a message to oneself lets the page's orders in at once.
const channel = new MessageChannel();
channel.port1.onmessage = () => wake();
const breath = (): Promise<void> =>
  new Promise((resolve) => {
    wake = resolve;
    channel.port2.postMessage(0);
  });
const order = (): Promise<void> => new Promise((resolve) => (wake = resolve));

onmessage = ({ data: message }: MessageEvent<Order>): void => {
  if (message.kind === "start") {
    train(message).catch((error) => tell({ kind: "failed", message: error.message }));
    return;
  }
  if (message.kind === "pause") paused = true;
  if (message.kind === "resume") paused = false;
  if (message.kind === "step") owed += 1;
  if (message.kind === "stop") stopping = true;
  wake();
};

async function train({ net, training, data, paused: held }: Start): Promise<void> {
  paused = held;
  const trainer = (await loadEngine()).train(net, training, data);
  tell({ kind: "ready", parameters: trainer.parameters, multiplyAdds: trainer.multiplyAdds });
  const evaluateEvery = Math.ceil(training.steps / EVALUATIONS);
  const signalsEvery = Math.ceil(training.steps / SNAPSHOTS);
  let news = nothing();
  let [busy, since, reported] = [0, performance.now(), performance.now()];
  const report = (): void => {
    reported = performance.now();
    tell({ ...news, milliseconds: busy + reported - since });
    news = nothing();
  };
  let tested = -1; // the iteration that the test set was last judged at
  const test = (): void => {
    tested = trainer.iteration;
    news.test.push(evaluate(trainer, "test"));
  };
  test();
  while (trainer.iteration < training.steps && !stopping && !trainer.diverged) {
    if (paused && owed === 0) {
      report();
      busy += performance.now() - since;
      await order();
      since = performance.now();
      continue;
    }
    owed = paused ? owed - 1 : 0;
    const { loss, errors } = trainer.step();
    const now = trainer.iteration;
    news.losses.push(loss);
    news.errors.push((100 * errors) / training.batchSize);
    const last = now === training.steps || trainer.diverged;
    if (now === 1 || now % signalsEvery === 0 || last) news.signals.push(signals(trainer));
    if (now % evaluateEvery === 0 && !last) test();
    if (performance.now() - reported > REPORT_EVERY) {
      report();
      await breath();
    }
  }
  const why = trainer.diverged ? "diverged" : stopping ? "stopped" : "done";
  const judged = trainer.iteration > 0 && why !== "diverged";
  if (judged && tested < trainer.iteration) test();
  const train = judged ? evaluate(trainer, "train") : undefined;
  report();
  tell({ kind: "end", why, train });
  trainer.free();
  close();
}

function nothing(): Progress {
  return { kind: "progress", losses: [], errors: [], test: [], signals: [], milliseconds: 0 };
}

function evaluate(trainer: Trainer, split: "train" | "test"): Evaluation {
  const { loss, error } = trainer.evaluate(split);
  return { iteration: trainer.iteration, loss, error: 100 * error };
}

function signals(trainer: Trainer): Signals {
  const layers = trainer.signals();
  const column = (name: "response" | "activationGradient" | "weightGradient"): Float32Array =>
    Float32Array.from(layers, (layer) => layer[name]);
  return {
    iteration: trainer.iteration,
    response: column("response"),
    activationGradient: column("activationGradient"),
    weightGradient: column("weightGradient"),
  };
}
