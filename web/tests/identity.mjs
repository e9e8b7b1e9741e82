// For tests/test_explorer_identity.py: pictures through stacks of blocks, computed as the page does.
//   node identity.mjs < {"size", "picture", "seed", "count", "share"}   prints blocks and outputs
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "explorers", "identity", "net.ts");
const { outputFiles } = await build({ entryPoints: [source], bundle: true, format: "esm", write: false });
const net = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString("base64")}`);

const { size, picture, seed, count, share } = JSON.parse(readFileSync(0, "utf8"));
const x = Float64Array.from(picture);
const drawn = net.he(count, seed);
const result = {};
for (const kind of ["plain", "residual"]) {
  const copies = drawn.map((block) => (kind === "plain" ? net.plainCopy(x) : net.residualCopy(block)));
  const blocks = copies.map((copy, i) => net.between(copy, drawn[i], share));
  const built = net.through(copies, x, size, kind === "residual");
  const batch = net.through(blocks, x, size, kind === "residual");
  const kept = net.through(blocks, x, size, kind === "residual", built.used);
  const last = (each) => Array.from(each.outputs.at(-1));
  result[kind] = {
    blocks,
    statistics: built.used,
    copied: net.difference(built.outputs.at(-1), x),
    batch: last(batch),
    kept: last(kept),
    likeness: batch.outputs.map((each) => net.likeness(each, x)),
  };
}
process.stdout.write(JSON.stringify(result));
