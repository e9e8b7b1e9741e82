// Texts come from one table per language, English and Chinese. A further language is a further table
// in texts/, and one in each explorer's `words`; where one is missing, English stands in.
import { rounded } from "./rounding.ts";
import { en } from "./texts/en.ts";
import { zh } from "./texts/zh.ts";

export type Texts = typeof en;
const TABLES: Record<string, Texts> = { en, zh };

/** The texts that all explorers share, in a language. */
export function textsOf(language: string): Texts {
  return inLanguage(TABLES, language);
}

/** The table of a language, the English one where there is none for it. */
export function inLanguage<T>(tables: Record<string, T>, language: string): T {
  return tables[language] ?? tables[language.split("-")[0]] ?? tables.en;
}

/** A text with its {names} replaced by values. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** A number in the language's form, with a fixed number of decimals, and a real minus sign. */
export function number(value: number, decimals = 0, language = "en"): string {
  const format = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  // + 0: what rounds to zero has no sign
  return (rounded(value, decimals) + 0).toLocaleString(language, format).replace("-", "\u2212");
}

/** Names in a row: "a, b and c". */
export function listed(names: string[], texts: Texts): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(texts.listComma)}${texts.and}${names.at(-1)}`;
}

/** A text of the data in the language, where it is known there. */
export function ofData(text: string, texts: Texts): string {
  return texts.ofData[text] ?? text;
}
