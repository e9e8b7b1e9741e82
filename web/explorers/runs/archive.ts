// The recorded runs, by schedule and net, with their means, ranges and differences.
import type { Point } from "../../shared/chart.ts";
import type { Net as AnyNet } from "../../shared/nets.ts";

export interface Series {
  iteration: number[];
  top1_error: number[];
}

export interface Run {
  run_id: string;
  net: string;
  seed: number;
  schedule: string;
  train: Series;
  test: Series;
}

export interface Net extends AnyNet {
  published: { top1_error: number; place: string } | null;
}

export interface Schedule {
  id: string;
  tier: string;
  data: string;
  iterations: number;
  seeds: number;
}

export interface Data {
  nets: Net[];
  schedules: Schedule[];
  guided: string | null;
  shorter: string | null;
  runs: Run[];
  left_out: { run_id: string; why: string }[];
}

export type Split = "train" | "test";

/** Runs of one net in one schedule, and their mean and range at each iteration. */
export class Group {
  private known: Partial<Record<Split, [number, number[]][]>> = {};
  private means: Partial<Record<Split, Point[]>> = {};

  constructor(readonly net: Net, readonly runs: Run[]) {}

  points(split: Split): Point[] {
    return (this.means[split] ??= this.values(split).map(([x, values]) => [x, mean(values)]));
  }

  /** The mean at one iteration, or null where it was not measured. */
  at(split: Split, iteration: number): number | null {
    return this.points(split).find(([x]) => x === iteration)?.[1] ?? null;
  }

  band(split: Split): [number, number, number][] {
    if (this.runs.length < 2) return [];
    return this.values(split).map(([x, values]) => [x, Math.min(...values), Math.max(...values)]);
  }

  /** The last error of each seed. */
  ends(split: Split): number[] {
    return this.runs.map((run) => run[split].top1_error.at(-1)!);
  }

  private values(split: Split): [number, number[]][] {
    return (this.known[split] ??= this.collect(split));
  }

  private collect(split: Split): [number, number[]][] {
    const found = new Map<number, number[]>();
    for (const run of this.runs) {
      run[split].iteration.forEach((x, i) => {
        if (!found.has(x)) found.set(x, []);
        found.get(x)!.push(run[split].top1_error[i]);
      });
    }
    return [...found].sort((a, b) => a[0] - b[0]);
  }
}

export const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** By how much the deep net's last error is above the shallow one's, for each seed of both. */
export function gaps(shallow: Group, deep: Group, split: Split): number[] {
  return deep.runs.flatMap((run) => {
    const twin = shallow.runs.find((each) => each.seed === run.seed);
    return twin ? [run[split].top1_error.at(-1)! - twin[split].top1_error.at(-1)!] : [];
  });
}

/** Which way all seeds go, if they agree. */
export function agreed(gaps: number[]): "higher" | "lower" | "unclear" {
  if (!gaps.length) return "unclear";
  if (gaps.every((each) => each > 0)) return "higher";
  return gaps.every((each) => each < 0) ? "lower" : "unclear";
}

export class Archive {
  readonly nets: Map<string, Net>;
  /** What the questions are about, and what they are compared with when the deeper net might need longer. */
  readonly guided: Schedule | undefined;
  readonly shorter: Schedule | undefined;
  private known = new Map<string, Map<string, Group>>();

  constructor(private data: Data) {
    this.nets = new Map(data.nets.map((net) => [net.name, net]));
    this.guided = this.schedule(data.guided);
    this.shorter = this.schedule(data.shorter);
  }

  schedule(id: string | null): Schedule | undefined {
    return this.data.schedules.find((each) => each.id === id);
  }

  /** The runs of a schedule, by net. */
  groups(schedule: Schedule | undefined): Map<string, Group> {
    if (!schedule) return new Map();
    if (!this.known.has(schedule.id)) this.known.set(schedule.id, this.collect(schedule.id));
    return this.known.get(schedule.id)!;
  }

  /** Those of them that a list of nets names, in its order. */
  of(names: string[], schedule: Schedule | undefined): Group[] {
    const recorded = this.groups(schedule);
    return names.flatMap((name) => recorded.get(name) ?? []);
  }

  private collect(schedule: string): Map<string, Group> {
    const found = new Map<string, Run[]>();
    for (const run of this.data.runs) {
      if (run.schedule === schedule) found.set(run.net, [...(found.get(run.net) ?? []), run]);
    }
    return new Map([...found].map(([name, runs]) => [name, new Group(this.nets.get(name)!, runs)]));
  }
}
