// The controls of a free trial: depth, shortcut and the buttons; everything else below "More".
import { h, uniqueId } from "../shared/dom.ts";
import {
  allowed, type Choice, DEFAULT, LIMITS, type NumberName, type Shortcut,
} from "./choices.ts";
import { say, Segments } from "./dom.ts";
import type { Texts } from "./texts/index.ts";
import { plain, whole } from "./words.ts";

/** Which nets a press of Train starts. */
export type Nets = "twins" | "residual" | "plain";
export const NETS: readonly Nets[] = ["twins", "residual", "plain"];

export class Controls {
  readonly element: HTMLElement;
  readonly more: HTMLDetailsElement;
  choice: Choice = { ...DEFAULT };
  nets: Nets = "twins";
  private readonly setters: (() => void)[] = [];

  constructor(
    private readonly texts: Texts,
    private readonly changed: () => void,
  ) {
    this.element = h("div", { class: "controls" }, this.depth(), this.shortcut());
    this.more = this.moreChoices();
    this.show();
  }

  /** The choices of the nets that Train starts. */
  get chosen(): Choice[] {
    const residual = { ...this.choice };
    const plainNet: Choice = { ...this.choice, shortcut: "none" };
    if (this.nets === "plain") return [plainNet];
    return this.nets === "residual" ? [residual] : [plainNet, residual];
  }

  /** Take over a choice; a plain net leaves the shortcut of its twin as it is. */
  take(choice: Choice, nets: Nets = this.nets): void {
    const shortcut = choice.shortcut === "none" ? this.choice.shortcut : choice.shortcut;
    this.choice = { ...choice, shortcut };
    this.nets = nets;
    this.show();
  }

  private show(): void {
    for (const set of this.setters) set();
  }

  private set(change: Partial<Choice>): void {
    Object.assign(this.choice, change);
    this.show();
    this.changed();
  }

  private depth(): HTMLElement {
    const { texts } = this;
    const id = uniqueId();
    const [min, max, step] = LIMITS.depth;
    const slider = h("input", {
      ...{ id, type: "range", min, max, step, class: "depth" },
      oninput: () => this.set({ depth: slider.valueAsNumber }),
    });
    const shown = h("output", { for: id });
    this.setters.push(() => {
      slider.value = String(this.choice.depth);
      slider.setAttribute("aria-valuetext", texts.layers(this.choice.depth));
      say(shown, texts.layers(this.choice.depth));
    });
    return h("div", { class: "field grows" }, h("label", { for: id }, texts.depth, " ", shown), slider);
  }

  private shortcut(): HTMLElement {
    const options = (["A", "B", "C"] as const).map((each) => [each, each] as const);
    const segments = new Segments<Shortcut>(this.texts.shortcut, options, (shortcut) =>
      this.set({ shortcut }),
    );
    this.setters.push(() => {
      segments.value = this.choice.shortcut;
      segments.disabled = this.nets === "plain";
    });
    return segments.element;
  }

  private moreChoices(): HTMLDetailsElement {
    const { texts } = this;
    const numbers = (names: NumberName[]): HTMLElement[] => names.map((name) => this.number(name));
    return h(
      "details",
      { class: "more" },
      h("summary", {}, texts.more),
      h(
        "div",
        { class: "grid" },
        this.select(
          texts.which,
          [["twins", texts.twins], ["residual", texts.residualOnly], ["plain", texts.plainOnly]],
          () => this.nets,
          (nets) => (this.nets = nets),
        ),
        this.select(
          texts.order,
          [["original", texts.original], ["preactivation", texts.preactivation]],
          () => this.choice.order,
          (order) => (this.choice.order = order),
        ),
        this.select(
          texts.init,
          [["he", texts.inits.he], ["xavier", texts.inits.xavier], ["small", texts.inits.small]],
          () => this.choice.init,
          (init) => (this.choice.init = init),
        ),
        ...numbers(["width", "learningRate", "warmup", "steps", "batchSize", "momentum"]),
        ...numbers(["weightDecay", "seed", "seeds"]),
        this.check(texts.batchNorm, "batchNorm"),
        this.check(texts.drops, "drops"),
      ),
    );
  }

  private select<Value extends string>(
    label: string,
    options: [Value, string][],
    get: () => Value,
    set: (value: Value) => void,
  ): HTMLElement {
    const id = uniqueId();
    const list = h("select", {
      id,
      onchange: () => {
        set(list.value as Value);
        this.show();
        this.changed();
      },
    }, ...options.map(([value, text]) => h("option", { value }, text)));
    this.setters.push(() => (list.value = get()));
    return h("div", { class: "field" }, h("label", { for: id }, label), list);
  }

  private check(label: string, name: "batchNorm" | "drops"): HTMLElement {
    const box = h("input", { type: "checkbox", onchange: () => this.set({ [name]: box.checked }) });
    this.setters.push(() => (box.checked = this.choice[name]));
    return h("label", { class: "check" }, box, " ", label);
  }

  /** A number: what is not allowed is said below the field and not taken. */
  private number(name: NumberName): HTMLElement {
    const { texts } = this;
    const [id, noteId] = [uniqueId(), uniqueId()];
    const [low, high, step] = LIMITS[name];
    const note = h("span", { id: noteId, class: "wrong" });
    const input = h("input", {
      ...{ id, type: "number", min: low, max: high, step: step || "any" },
      "aria-describedby": noteId,
      oninput: () => {
        const good = allowed(name, input.valueAsNumber);
        input.setAttribute("aria-invalid", String(!good));
        const limits = [plain(low), plain(high)] as const;
        say(note, good ? "" : texts.notAllowed(texts.numbers[name], ...limits, step > 0));
        if (good) this.set({ [name]: input.valueAsNumber });
      },
      // Leaving the field with what is not allowed puts the last good number back, and says why.
      onchange: () => {
        const wrong = allowed(name, input.valueAsNumber) ? "" : note.textContent!;
        show();
        if (wrong) say(note, texts.kept(wrong, plain(this.choice[name])));
      },
    });
    const show = (): void => {
      if (input.valueAsNumber !== this.choice[name]) input.value = String(this.choice[name]);
      input.removeAttribute("aria-invalid");
      say(note, this.caution(name));
    };
    this.setters.push(show);
    const hint = name === "warmup" ? h("small", {}, texts.warmupHelp) : undefined;
    return h("div", { class: "field" }, h("label", { for: id }, texts.numbers[name]), input, hint, note);
  }

  /** What to say of a number that is allowed, but hardly meant. */
  private caution(name: NumberName): string {
    const { warmup, steps } = this.choice;
    return name === "warmup" && warmup >= steps ? this.texts.warmupAll(whole(steps)) : "";
  }
}
