// The state of an explorer: a flat record of texts, numbers and yes/no, typed by its defaults.
// As a query string it holds only what differs from the defaults, so that addresses stay short.

export type Value = string | number | boolean;
export type State = Record<string, Value>;

export class View<S extends State = State> {
  private values: S;
  private listeners = new Set<(passing: boolean) => void>();

  constructor(private readonly defaults: S) {
    this.values = { ...defaults };
  }

  get state(): Readonly<S> {
    return this.values;
  }

  /** Change some values; listeners hear of it unless nothing changed. passing: not worth keeping
   * in an address, such as where the pointer happens to be. */
  set(patch: Partial<S>, passing = false): void {
    const changed = Object.entries(patch).some(([key, value]) => this.values[key] !== value);
    if (!changed) return;
    this.values = { ...this.values, ...patch };
    for (const listener of [...this.listeners]) listener(passing);
  }

  /** Take a state from outside, a query string or a record; what it leaves out is at its default. */
  read(source: string | Record<string, unknown>): void {
    const entries =
      typeof source === "string" ? [...new URLSearchParams(source)] : Object.entries(source);
    const patch: State = { ...this.defaults };
    for (const [key, value] of entries) {
      const usual = this.defaults[key];
      if (typeof usual === "number" && Number.isFinite(Number(value))) patch[key] = Number(value);
      else if (typeof usual === "boolean") patch[key] = value === true || value === "1" || value === "true";
      else if (typeof usual === "string") patch[key] = String(value);
    }
    this.set(patch as Partial<S>);
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
