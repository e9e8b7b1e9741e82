// Names, colours and line styles of nets, and the table in which the reader chooses some.
import { h } from "./dom.ts";
import { fill, ofData, type Texts } from "./words.ts";

export interface Net {
  name: string;
  /** plain, an option (A, B, C), preactivation, or the name of a variant. */
  kind: string;
  /** What else its training changes: "float32". */
  variant?: string;
  depth: number;
}

const COLOURS: Record<string, string> = {
  plain: "plain", A: "residual", B: "purple", C: "pink", preactivation: "green",
};
const CHANGED = "var(--rn-teal)";
const DASHES = ["", "7 3", "4 3 1 3", "2 3", "9 3 2 3", "1 4"];

/** Plain nets are orange-red, residual ones blue, as in every figure of the book. */
export function colourOf(net: Net): string {
  return !net.variant && net.kind in COLOURS ? `var(--rn-${COLOURS[net.kind]})` : CHANGED;
}

/** The deepest of the nets shown is solid, shallower ones are dashed; changed nets, which share a
 * colour, have a dash each. */
export function dashOf(net: Net, shown: Net[]): string {
  const changed = shown.filter((each) => colourOf(each) === CHANGED);
  if (changed.includes(net)) return DASHES[changed.indexOf(net) % DASHES.length];
  const depths = [...new Set(shown.map((each) => each.depth))].sort((a, b) => b - a);
  return DASHES[Math.min(depths.indexOf(net.depth), DASHES.length - 1)];
}

/** plain-56, ResNet-56, ResNet-56 B, pre-ResNet-56. */
export function netName(net: Net, texts: Texts): string {
  const t = texts.nets;
  const known: Record<string, string> = { plain: t.plain, preactivation: t.preactivation };
  const name = fill(known[net.kind] ?? t.residual, { depth: net.depth });
  const other = otherOf(net, texts);
  const option = net.kind in known || net.kind === "A" ? "" : ` ${net.kind}`;
  return withVariant(other ? fill(t.variant, { net: name, variant: other }) : name + option, net, texts);
}

/** The same for a net's name in the code, resnet56-B; what is none of the papers' nets stays as it is. */
export function printedName(name: string, texts: Texts): string {
  const found = /^(plain|preresnet|resnet)(\d+)(?:-([ABC]))?$/.exec(name);
  if (!found) return name;
  const [, family, depth, option] = found;
  const kind = { plain: "plain", preresnet: "preactivation" }[family] ?? "A";
  return netName({ name, kind, depth: Number(depth) }, texts) + (option ? ` ${option}` : "");
}

/** What stands on the shortcut of a net, or how far it leads, where that is no option. */
function otherOf({ kind }: Net, texts: Texts): string | undefined {
  return texts.nets.others[kind as "constant"];
}

function withVariant(name: string, { variant }: Net, texts: Texts): string {
  return variant ? fill(texts.nets.variant, { net: name, variant: ofData(variant, texts) }) : name;
}

/** Nets as buttons, by kind and depth, with a dot for each seed that is recorded. Rows and columns of
 * which nothing is recorded are left out; what is none of the papers' kinds can be unfolded. */
export function netTable(texts: Texts, nets: Net[], change: (names: string[]) => void) {
  const t = texts.nets;
  const element = h("div", { class: "rnx-nets" });
  const usual = (net: Net) => !net.variant && net.kind in t.kinds;
  const row = (net: Net) => {
    const other = otherOf(net, texts);
    const kind = other ? fill(t.variant, { net: t.anyResidual, variant: other }) : (t.kinds[net.kind as "plain"] ?? net.kind);
    return withVariant(kind, net, texts);
  };
  const folded = h("details", {}, h("summary", {}, t.more));
  let before: string[] = [];

  /** seeds: how many runs a net has, of `wanted` that are planned. */
  function draw(chosen: string[], seeds: (name: string) => number, wanted: number): void {
    const cell = (net: Net | undefined): HTMLElement | string => {
      if (!net) return "";
      const count = seeds(net.name);
      const told = fill(count ? t.seedsRecorded : t.notRecorded, { net: netName(net, texts), count, wanted });
      const flip = () =>
        change(nets.map((each) => each.name).filter((name) => chosen.includes(name) !== (name === net.name)));
      return h(
        "button",
        {
          type: "button", class: "rnx-net", disabled: !count, "data-net": net.name, onclick: flip,
          "aria-pressed": String(count > 0 && chosen.includes(net.name)), "aria-label": told, title: told,
          style: `--colour:${colourOf(net)}`,
        },
        h("b", {}, String(net.depth)),
        h("i", { "aria-hidden": "true" }, "\u25cf".repeat(count) + "\u25cb".repeat(Math.max(0, wanted - count))),
      );
    };
    const there = nets.filter((net) => seeds(net.name) > 0);
    const table = (some: Net[]): HTMLElement => {
      const depths = [...new Set(some.map((net) => net.depth))].sort((a, b) => a - b);
      const rows = [...new Set(some.map(row))].map((kind) => {
        const cells = depths.map((depth) => some.find((net) => row(net) === kind && net.depth === depth));
        const name = h("th", { scope: "row" }, kind);
        return h("tr", {}, name, ...cells.map((net) => h("td", {}, cell(net))));
      });
      return h("table", {}, h("tbody", {}, ...rows));
    };
    const others = there.filter((net) => !usual(net));
    folded.hidden = !others.length;
    // Opens for what is newly chosen, by an address for one; who closes it finds it closed.
    folded.open ||= others.some(({ name }) => chosen.includes(name) && !before.includes(name));
    before = chosen;
    const focused = (element.getRootNode() as Document).activeElement as HTMLElement | null;
    const kept = element.contains(focused) ? focused!.dataset.net : null;
    folded.replaceChildren(folded.firstElementChild!, table(others));
    element.replaceChildren(table(there.filter(usual)), folded);
    if (kept) element.querySelector<HTMLElement>(`[data-net="${kept}"]`)?.focus({ preventScroll: true });
  }

  return { element, draw };
}
