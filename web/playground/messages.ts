// What the page and a worker say to each other. A worker trains one net.
import type { NetChoice, Splits, TrainChoice } from "./types.ts";

export interface Start {
  kind: "start";
  net: NetChoice;
  training: TrainChoice;
  data: Splits;
  paused: boolean;
}

export type Order = Start | { kind: "pause" | "resume" | "step" | "stop" };

/** The test set's answers after so many iterations; error in percent. */
export interface Evaluation {
  iteration: number;
  loss: number;
  error: number;
}

/** Layer by layer, from the first to the last, at one iteration. */
export interface Signals {
  iteration: number;
  response: Float32Array;
  activationGradient: Float32Array;
  weightGradient: Float32Array;
}

export type Signal = Exclude<keyof Signals, "iteration">;

export interface Progress {
  kind: "progress";
  losses: number[]; // one an iteration since the last progress
  errors: number[]; // of the batch, in percent
  test: Evaluation[];
  signals: Signals[];
  milliseconds: number; // of training since the start, pauses left out
}

export type Report =
  | { kind: "ready"; parameters: number; multiplyAdds: number }
  | Progress
  | { kind: "end"; why: "done" | "stopped" | "diverged"; train?: Evaluation }
  | { kind: "failed"; message: string };
