// Bundle each front-end part into one ES module without imports: resnet_lib/widgets/<part>.js.
// The bundles are committed, so that the book and Colab need no Node.
//   node build.mjs           writes them
//   node build.mjs --check   builds again and fails if a committed file differs
import { build } from "esbuild";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "resnet_lib", "widgets");
const parts = ["explorers", "playground"].filter((part) => existsSync(join(here, part, "index.ts")));
const checking = process.argv.includes("--check");

// A worker is bundled by itself, and its text goes into the module: no second file to find.
const inlineWorker = {
  name: "inline-worker",
  setup(esbuild) {
    esbuild.onResolve({ filter: /^inline-worker:/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.slice("inline-worker:".length)),
      namespace: "inline-worker",
    }));
    esbuild.onLoad({ filter: /./, namespace: "inline-worker" }, async ({ path }) => {
      const { outputFiles } = await build({ ...options, entryPoints: [path], format: "iife" });
      return { contents: outputFiles[0].text, loader: "text" };
    });
  },
};

const options = {
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  loader: { ".css": "text", ".wasm": "binary" },
  write: false,
};

let stale = 0;
mkdirSync(out, { recursive: true });
for (const part of parts) {
  const entryPoints = [join(here, part, "index.ts")];
  const { outputFiles } = await build({ ...options, entryPoints, plugins: [inlineWorker] });
  const file = join(out, `${part}.js`);
  const fresh = outputFiles[0].text;
  if (!checking) writeFileSync(file, fresh);
  else if (!existsSync(file) || readFileSync(file, "utf8") !== fresh) {
    console.error(`${file} is not what web/${part} builds: run npm run build and commit it.`);
    stale = 1;
  }
}
process.exit(stale);
