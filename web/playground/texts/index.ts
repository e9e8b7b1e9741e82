// The languages of the playground. To add one: a table of the type Texts, and its line here.
import { en, type Texts } from "./en.ts";
import { zh } from "./zh.ts";

export type { Texts };

const LANGUAGES: Record<string, Texts> = { en, zh };

/** The table for a language tag such as "zh-CN"; English where there is none. */
export const textsFor = (tag: string): Texts => LANGUAGES[tag.toLowerCase().split("-")[0]] ?? en;
