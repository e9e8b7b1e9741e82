// What an explorer is, and the frame that every one of them stands in.
import { goOn } from "./attention.ts";
import { button } from "./controls.ts";
import { h } from "./dom.ts";
import css from "./explorer.css";
import { CLEAR } from "./predict.ts";
import { csv, download, type Row } from "./table.ts";
import { View, type Choices, type Refused, type State, type Value } from "./view.ts";
import { fill, inLanguage, listed, textsOf, type Texts } from "./words.ts";

/** What every explorer has to say. */
export interface Words {
  question: string;
}

/** What an explorer gets: a place to build itself in, its data, its state, its language. */
export interface Place<D, S extends State, W extends Words> {
  root: HTMLElement;
  data: D;
  view: View<S>;
  /** Its own words, and those that all share. */
  t: W;
  texts: Texts;
  language: string;
  /** Addresses that a page offers: playground, colab. Without a page there are none. */
  links?: Record<string, string>;
}

/** What an explorer gives back: how it shows its state, and the data behind what it shows. */
export interface Parts {
  draw(): void;
  rows(): Row[];
  /** Takes new data, where they can change while it is shown. */
  update?(data: unknown): void;
  close?(): void;
}

export interface Explorer<D = any, S extends State = any, W extends Words = any> {
  /** By language; English is always there. */
  words: { en: W } & Record<string, W>;
  defaults(data: D): S;
  /** What texts of the state can be; an address that names another is told so. */
  choices?(data: D): Choices;
  build(place: Place<D, S, W>): Parts;
}

export interface Options {
  name: string;
  data: unknown;
  state?: string | Record<string, unknown>;
  language?: string;
  /** Hears the state after each change, as a query string and as a record. */
  onState?: (query: string, changes: State) => void;
  /** The address of the present state, where there is one. */
  link?: (query: string) => string;
  links?: Record<string, string>;
}

export interface Mounted {
  read(state: string | Record<string, unknown>): void;
  update(data: unknown): void;
  close(): void;
}

/** Build an explorer inside an element. */
export function open(explorer: Explorer, element: HTMLElement, options: Options): Mounted {
  const texts = textsOf(options.language ?? "en");
  const t: Words = inLanguage(explorer.words, options.language ?? "en");
  const { language } = texts;
  const view = new View(explorer.defaults(options.data), explorer.choices?.(options.data));
  const notice = h("p", { class: "rnx-notice", role: "status" });
  const read = (state: string | Record<string, unknown>) => {
    const refused = view.read(state);
    notice.textContent = refused.map((each) => whyNot(each, texts)).join(texts.space);
  };
  if (options.state) read(options.state);
  const root = h("div", { class: "rnx-body" });
  const tools = h("p", { class: "rnx-tools" });
  const section = h(
    "section",
    { class: "rnx", "data-name": options.name, lang: language, "aria-label": t.question },
    h("p", { class: "rnx-question" }, t.question),
    notice,
    root,
    tools,
  );
  addStyle(element);
  // JupyterLab would take arrow keys and letters for its own commands.
  section.addEventListener("keydown", (event) => event.stopPropagation());
  element.replaceChildren(section);
  /** Do something that looks at the state; an address can name what is not there, so once more with
   * the first view, which always is. */
  const robust = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      if (!Object.keys(view.changes()).length) throw error;
      read({});
      notice.textContent = texts.noSuchView;
      return act();
    }
  };
  const parts = robust(() => {
    root.replaceChildren();
    return explorer.build({ root, data: options.data, view, t, texts, language, links: options.links });
  });
  const save = button(texts.download, () => download(`${options.name}.csv`, csv(parts.rows())), "quiet");
  const again = button(texts.again, () => {
    root.querySelector(".rnx-gate")?.dispatchEvent(new Event(CLEAR));
    view.set({ shown: false });
    goOn(() => root.querySelector<HTMLElement>(".rnx-ask"));
  }, "quiet");
  const asks = explorer.defaults(options.data).shown === false;
  tools.append(again, save);
  if (options.link && navigator.clipboard) {
    const copy = button(texts.copyLink, async () => {
      const wrote = navigator.clipboard.writeText(options.link!(view.query()));
      copy.textContent = await wrote.then(() => texts.copied, () => texts.notCopied);
      setTimeout(() => (copy.textContent = texts.copyLink), 2500);
    }, "quiet");
    tools.append(copy);
  }
  const draw = () => {
    save.hidden = view.state.shown === false; // before, the data would give the answer away
    again.hidden = !asks || save.hidden;
    robust(() => parts.draw());
  };
  let waiting = 0;
  let silent = false;
  view.listen((passing) => {
    if (!silent && !passing) {
      notice.textContent = "";
      options.onState?.(view.query(), view.changes());
    }
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      draw();
    });
  });
  draw();
  return {
    read(state) {
      silent = true; // who tells us need not be told
      const { shown } = view.state;
      read(state);
      if (typeof state === "string") view.set({ shown: both(shown, view.state.shown) });
      silent = false;
    },
    update: (data) => parts.update?.(data),
    close() {
      cancelAnimationFrame(waiting);
      parts.close?.();
      section.remove();
    },
  };
}

/** What the reader has revealed on this page stays so when a link leads to another view of it: yes or
 * no, or a list of steps. */
function both(before: Value, now: Value): Value {
  if (typeof before !== "string") return before || now;
  return [...new Set(`${before},${now}`.split(",").filter(Boolean))].join();
}

function whyNot({ key, value, known }: Refused, texts: Texts): string {
  const few = known?.filter(Boolean) ?? [];
  const text = !known ? texts.notAValue : few.length > 9 ? texts.notThere : texts.notAChoice;
  return fill(text, { key, value, known: listed(few, texts) });
}

/** Show an error where the explorer would be. */
export function explain(element: HTMLElement, error: unknown, language = "en"): void {
  const told = error instanceof Error ? error.message : String(error);
  element.append(h("p", { class: "rnx-failed" }, fill(textsOf(language).failed, { error: told })));
}

function addStyle(element: HTMLElement): void {
  const home = element.getRootNode();
  const place = home instanceof ShadowRoot ? home : document.head;
  if (!place.querySelector("style[data-rnx]")) place.append(h("style", { "data-rnx": true }, css));
}
