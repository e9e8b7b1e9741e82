// Nets in training: a Run is one net on one worker, an Arm the runs of one choice over its seeds,
// and the Crew lets as many train at a time as the machine has processors for.
import { type Choice, netOf, seedsOf, trainingOf } from "./choices.ts";
import type { Evaluation, Order, Report, Signals } from "./messages.ts";
import type { Splits } from "./types.ts";
import workerSource from "inline-worker:./worker.ts";

export type State =
  | "new" | "waiting" | "running" | "paused" | "stopping"
  | "done" | "stopped" | "diverged" | "failed";

export const OVER: State[] = ["done", "stopped", "diverged", "failed"];

export class Run {
  state: State = "new";
  losses: number[] = [];
  errors: number[] = []; // of each batch, in percent
  test: Evaluation[] = [];
  train?: Evaluation; // of the training set, once the run is over
  signals: Signals[] = [];
  parameters = 0;
  multiplyAdds = 0;
  milliseconds = 0;
  message = "";
  private worker?: Worker;

  constructor(
    readonly choice: Choice,
    readonly seed: number,
  ) {}

  get iteration(): number {
    return this.losses.length;
  }

  get over(): boolean {
    return OVER.includes(this.state);
  }

  /** Whether it came to its own end: a result, where a run that was stopped is none. */
  get ended(): boolean {
    return this.state === "done" || this.state === "diverged";
  }

  start(data: Splits, paused: boolean, changed: () => void): void {
    this.state = paused ? "paused" : "running";
    const hear = (report: Report): void => {
      this.hear(report);
      changed();
    };
    const fail = (message = ""): void => hear({ kind: "failed", message });
    // A worker from the page's own text needs no file beside it, and no special headers.
    const url = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
    try {
      this.worker = new Worker(url);
    } catch {
      queueMicrotask(() => fail()); // as if the worker had said so
      return;
    } finally {
      URL.revokeObjectURL(url);
    }
    this.worker.onmessage = ({ data: report }: MessageEvent<Report>) => hear(report);
    this.worker.onmessageerror = () => fail();
    this.worker.onerror = (event) => {
      event.preventDefault();
      fail(event.message);
    };
    const { choice, seed } = this;
    this.order({
      kind: "start",
      net: netOf(choice, seed),
      training: trainingOf(choice),
      data,
      paused,
    });
  }

  order(order: Order): void {
    this.worker?.postMessage(order);
  }

  private hear(report: Report): void {
    if (report.kind === "ready") {
      this.parameters = report.parameters;
      this.multiplyAdds = report.multiplyAdds;
    } else if (report.kind === "progress") {
      for (const loss of report.losses) this.losses.push(loss);
      for (const error of report.errors) this.errors.push(error);
      this.test.push(...report.test);
      this.signals.push(...report.signals);
      this.milliseconds = report.milliseconds;
    } else {
      if (report.kind === "end") this.train = report.train;
      else this.message = report.message;
      this.state = report.kind === "end" ? report.why : "failed";
      this.free();
    }
  }

  pause(): void {
    if (this.state !== "running") return;
    this.state = "paused";
    this.order({ kind: "pause" });
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.state = "running";
    this.order({ kind: "resume" });
  }

  /** End at the iteration that is under way; what there is is judged, which may take long, and stays. */
  stop(): void {
    if (this.over) return;
    this.state = this.worker ? "stopping" : "stopped";
    this.order({ kind: "stop" });
  }

  /** Give the memory back. */
  free(): void {
    this.worker?.terminate();
    this.worker = undefined;
  }
}

export class Arm {
  runs: Run[] = [];
  hidden = false;

  constructor(
    readonly number: number, // in the order of training, from 1
    readonly choice: Choice,
  ) {
    this.renew();
  }

  /** Begin anew, with nothing trained. */
  renew(): void {
    this.runs = seedsOf(this.choice).map((seed) => new Run(this.choice, seed));
  }

  /** Begin anew the runs that did not come to their end. */
  retry(): void {
    this.runs = this.runs.map((run) => (run.ended ? run : new Run(run.choice, run.seed)));
  }

  /** What to say of the arm: the state of the run that needs most attention. */
  get state(): State {
    const order: State[] =
      ["running", "paused", "stopping", "waiting", "new", "failed", "diverged", "stopped", "done"];
    return order.find((state) => this.runs.some((run) => run.state === state))!;
  }

  get over(): boolean {
    return this.runs.every((run) => run.over);
  }

  /** Whether every run came to its own end. */
  get ended(): boolean {
    return this.runs.every((run) => run.ended);
  }

  /** Whether it is over before its end: some run was stopped, or failed. */
  get unfinished(): boolean {
    return this.over && !this.ended;
  }

  /** How many runs diverged. */
  get lost(): number {
    return this.runs.filter(({ state }) => state === "diverged").length;
  }

  /** Whether none is left that did not. */
  get diverged(): boolean {
    return this.lost === this.runs.length;
  }

  get begun(): Run[] {
    return this.runs.filter((run) => run.iteration > 0);
  }

  get iteration(): number {
    return this.begun.reduce((most, run) => Math.max(most, run.iteration), 0);
  }

  /** The share of the work that is done. */
  get progress(): number {
    const all = this.choice.steps * this.runs.length;
    return this.runs.reduce((sum, run) => sum + (run.over ? this.choice.steps : run.iteration), 0) / all;
  }
}

export class Crew {
  paused = false;
  private queue: Run[] = [];
  private active: Run[] = [];
  /** How many nets train at a time: two at least, so that twins train side by side. */
  readonly size = Math.max(2, Math.min(8, (navigator.hardwareConcurrency || 2) - 1));

  constructor(
    private readonly data: Splits,
    private readonly changed: () => void,
  ) {}

  get busy(): boolean {
    return this.active.length + this.queue.length > 0;
  }

  /** Whether all that still train have been told to stop. */
  get stopping(): boolean {
    return this.busy && this.active.every(({ state }) => state === "stopping");
  }

  /** Train runs in this order; the first seeds of all arms come before the second. */
  add(arms: Arm[]): void {
    const most = Math.max(0, ...arms.map((arm) => arm.runs.length));
    for (let seed = 0; seed < most; seed++) {
      for (const arm of arms) {
        const run = arm.runs[seed];
        if (run?.state !== "new") continue;
        run.state = "waiting";
        this.queue.push(run);
      }
    }
    this.fill();
  }

  private fill(): void {
    while (this.active.length < this.size && this.queue.length > 0) {
      const run = this.queue.shift()!;
      this.active.push(run);
      run.start(this.data, this.paused, () => this.hear());
    }
    if (!this.busy) this.paused = false;
  }

  private hear(): void {
    this.active = this.active.filter((run) => !run.over);
    this.fill();
    this.changed();
  }

  pause(): void {
    this.paused = true;
    for (const run of this.active) run.pause();
    this.changed();
  }

  resume(): void {
    this.paused = false;
    for (const run of this.active) run.resume();
    this.changed();
  }

  /** One iteration more for every net that is being trained. */
  step(): void {
    for (const run of this.active) run.order({ kind: "step" });
  }

  stop(): void {
    for (const run of [...this.queue, ...this.active]) run.stop();
    this.queue = [];
    this.changed();
  }

  /** Forget runs at once, whatever they are doing. */
  drop(runs: Run[]): void {
    for (const run of runs) run.free();
    this.queue = this.queue.filter((run) => !runs.includes(run));
    this.active = this.active.filter((run) => !runs.includes(run));
    this.fill();
  }

  /** Seconds until all is trained, from the speed so far; undefined before there is one. */
  secondsLeft(): number | undefined {
    // In seconds an iteration, taken to grow with the depth where a net has not started.
    const known = this.active.filter((run) => run.iteration > 1 && run.milliseconds > 0);
    if (known.length === 0) return undefined;
    const perLayer =
      known.reduce((sum, run) => sum + run.milliseconds / run.iteration / run.choice.depth, 0) /
      known.length;
    const left = (run: Run): number => {
      const own = run.iteration > 1 ? run.milliseconds / run.iteration : perLayer * run.choice.depth;
      return own * (run.choice.steps - run.iteration);
    };
    const longest = Math.max(...this.active.map(left));
    const waiting = this.queue.reduce((sum, run) => sum + left(run), 0) / this.size;
    return (longest + waiting) / 1000;
  }
}
