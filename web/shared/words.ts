// Texts come from one table per language; a further language is a further table in texts/.
import { rounded } from "./rounding.ts";
import { en } from "./texts/en.ts";

export type Texts = typeof en;
const TABLES: Record<string, Texts> = { en };

/** The texts of a language, English where there is no table for it. */
export function textsOf(language: string): Texts {
  return TABLES[language] ?? TABLES[language.split("-")[0]] ?? en;
}

/** A text with its {names} replaced by values. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** A number in the language's form, with a fixed number of decimals, and a real minus sign. */
export function number(value: number, decimals = 0, language = "en"): string {
  const format = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return rounded(value, decimals).toLocaleString(language, format).replace("-", "\u2212");
}

/** Names in a row: "a, b and c". */
export function listed(names: string[], texts: Texts): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(texts.comma)}${texts.and}${names.at(-1)}`;
}
