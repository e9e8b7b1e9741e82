// The playground's state in one line of text: behind the # of a page's address, or in a notebook
// in the widget's `state`.
import { type Choice, decode, encode } from "./choices.ts";
import { type Nets, NETS } from "./controls.ts";
import type { Signal } from "./messages.ts";

export interface Address {
  read(): string;
  write(state: string): void;
  /** What a reader can hand on; undefined where there is no address. */
  link?(): string;
  /** Called when somebody else changes it, as a link within the page does. */
  onchange?: () => void;
}

export type Shown = "loss" | "error";
export const SIGNALS: readonly Signal[] = ["activationGradient", "weightGradient", "response"];

export interface PageState {
  choice?: Choice;
  nets: Nets;
  runs: { choice: Choice; hidden: boolean }[];
  shown: Shown;
  signal: Signal;
  moment?: number;
  open: string[]; // which of the foldable parts: "more", "layers"
  lesson?: string;
  answers: Record<string, string>; // the reader's predictions, by lesson
}

/** Equal states are written alike; what is as usual is left out. */
export function write(state: PageState): string {
  const parts: [string, string][] = [];
  if (state.choice) parts.push(["choose", encode(state.choice)]);
  if (state.nets !== "twins") parts.push(["nets", state.nets]);
  const runs = state.runs.map(({ choice, hidden }) => `${hidden ? "-" : ""}${encode(choice)}`);
  if (runs.length > 0) parts.push(["runs", runs.join(";")]);
  if (state.shown !== "loss") parts.push(["show", state.shown]);
  if (state.signal !== "activationGradient") parts.push(["signal", state.signal]);
  if (state.moment !== undefined) parts.push(["at", String(state.moment)]);
  if (state.open.length > 0) parts.push(["open", state.open.join(";")]);
  if (state.lesson) parts.push(["lesson", state.lesson]);
  const answers = Object.entries(state.answers).map(([lesson, answer]) => `${lesson}:${answer}`);
  if (answers.length > 0) parts.push(["answers", answers.join(";")]);
  return parts.map(([name, value]) => `${name}=${value}`).join("&");
}

/** The state that `write` wrote; what cannot be read is left out and named in `wrong`. */
export function parse(text: string): { state: PageState; wrong: string[] } {
  const state: PageState = {
    nets: "twins", runs: [], shown: "loss", signal: "activationGradient", open: [], answers: {},
  };
  const wrong: string[] = [];
  if (!text.includes("=")) return { state, wrong };
  for (const part of text.split("&")) {
    const [name, value = ""] = decoded(part).split("=");
    const list = value.split(";").filter(Boolean);
    if (name === "choose") {
      state.choice = decode(value);
      if (!state.choice) wrong.push(part);
    } else if (name === "nets" && NETS.includes(value as Nets)) state.nets = value as Nets;
    else if (name === "runs") {
      for (const each of list) {
        const choice = decode(each.replace(/^-/, ""));
        if (choice) state.runs.push({ choice, hidden: each.startsWith("-") });
        else wrong.push(each);
      }
    } else if (name === "show" && (value === "loss" || value === "error")) state.shown = value;
    else if (name === "signal" && SIGNALS.includes(value as Signal)) state.signal = value as Signal;
    else if (name === "at" && /^\d+$/.test(value)) state.moment = Number(value);
    else if (name === "open") state.open = list;
    else if (name === "lesson") state.lesson = value;
    else if (name === "answers") {
      const pairs = list.map((each) => each.split(":")).filter((pair) => pair.length === 2);
      state.answers = Object.fromEntries(pairs);
    } else wrong.push(part);
  }
  return { state, wrong };
}

/** A part of an address without its escapes; as it is, where they are none. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Before the state in a page's address, which may also name a section: #playground?runs=plain20 */
const MARK = "#playground?";

/** The address of the page. It is replaced, not added to the history: Back leaves the page. */
export function pageAddress(): Address {
  const there = (): string => (location.hash.startsWith(MARK) ? location.hash.slice(MARK.length) : "");
  let own = there();
  let waiting = 0;
  let known = location.hash; // as it was when this was last heard of
  const later = (time: number): void => {
    clearTimeout(waiting);
    waiting = window.setTimeout(put, time);
  };
  const put = (): void => {
    waiting = 0;
    if (location.hash !== known) return; // a link was followed just now, and is about to be heard of
    const page = location.pathname + location.search;
    try {
      history.replaceState(history.state, "", page + (own && MARK + own));
      known = location.hash;
    } catch {
      later(10_000); // it has changed too often
    }
  };
  const address: Address = {
    read: () => own, // which a link to a section of the page takes out of the address
    // Not at every step of a slider: browsers refuse an address that changes too often.
    write(state) {
      if (state === own) return;
      own = state;
      later(200);
    },
    // What the reader predicted is not handed on: whoever opens the link is asked, too.
    link() {
      const shared = own.split("&").filter((part) => !part.startsWith("answers=")).join("&");
      return location.origin + location.pathname + location.search + (shared && MARK + shared);
    },
  };
  addEventListener("pagehide", () => {
    clearTimeout(waiting);
    if (waiting) put();
  });
  addEventListener("hashchange", () => {
    clearTimeout(waiting); // the reader went elsewhere
    waiting = 0;
    known = location.hash;
    if (!location.hash.startsWith(MARK) || there() === own) return;
    own = there();
    address.onchange?.();
  });
  return address;
}
