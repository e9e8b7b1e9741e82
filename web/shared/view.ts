// The state of an explorer: a flat record of texts, numbers and yes/no, typed by its defaults.
// As a query string it holds only what differs from the defaults, so that addresses stay short.

export type Value = string | number | boolean;
export type State = Record<string, Value>;
/** The texts that a value can have; where it is a list ("plain20,plain56"), that each can have. */
export type Choices = Record<string, readonly string[]>;
/** What was asked for and cannot be; known: what can, where that is a choice. */
export interface Refused {
  key: string;
  value: string;
  known?: readonly string[];
}

export class View<S extends State = State> {
  private values: S;
  private listeners = new Set<(passing: boolean) => void>();
  private passed = false; // whether something has changed in passing only

  constructor(
    private readonly defaults: S,
    private readonly choices: Choices = {},
  ) {
    this.values = { ...defaults };
  }

  get state(): Readonly<S> {
    return this.values;
  }

  /** Change some values; listeners hear of it unless nothing changed. passing: not worth keeping
   * in an address, such as where the pointer happens to be, until it is chosen there. */
  set(patch: Partial<S>, passing = false): void {
    const changed = Object.entries(patch).some(([key, value]) => this.values[key] !== value);
    if (!changed && (passing || !this.passed)) return;
    this.passed = passing;
    this.values = { ...this.values, ...patch };
    for (const listener of [...this.listeners]) listener(passing);
  }

  /** Take a state from outside, a query string or a record; what it leaves out is at its default,
   * and so is what cannot be, which is returned. */
  read(source: string | Record<string, unknown>): Refused[] {
    const refused: Refused[] = [];
    const entries =
      typeof source === "string" ? [...new URLSearchParams(source)] : Object.entries(source);
    const patch: State = { ...this.defaults };
    for (const [key, given] of entries) {
      const usual = Object.hasOwn(this.defaults, key) ? this.defaults[key] : undefined;
      const value = String(given);
      const known = this.choices[key];
      if (typeof usual === "boolean") patch[key] = value === "1" || value === "true";
      else if (typeof usual === "number" && value.trim() && Number.isFinite(Number(value))) patch[key] = Number(value);
      else if (typeof usual === "string" && known) {
        const there = value.split(",").filter((each) => known.includes(each));
        if (there.length) patch[key] = there.join(",");
        for (const each of value.split(",")) if (!known.includes(each)) refused.push({ key, value: each, known });
      } else if (typeof usual === "string") patch[key] = value;
      else refused.push({ key, value });
    }
    this.set(patch as Partial<S>);
    return refused;
  }

  /** What differs from the defaults. */
  changes(): State {
    const entries = Object.entries(this.values).filter(([key, value]) => value !== this.defaults[key]);
    return Object.fromEntries(entries);
  }

  /** The changes as a query string: "step=free&at=1600". */
  query(): string {
    return Object.entries(this.changes())
      .map(([key, value]) => `${key}=${encodeURIComponent(value === true ? "1" : value === false ? "0" : value)}`)
      .join("&")
      .replaceAll("%2C", ",");
  }

  listen(listener: (passing: boolean) => void): void {
    this.listeners.add(listener);
  }
}
