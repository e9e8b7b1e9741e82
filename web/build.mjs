// Bundle each front-end part into one ES module without imports: resnet_lib/widgets/<part>.js, and
// the playground's engine for Node; before that, compile the playground's kernels.
// All of it is committed, so that the book, Colab and the tests need no npm.
//   node build.mjs           writes them
//   node build.mjs --check   builds again and fails if a committed file differs
import asc from "assemblyscript/asc";
import { build } from "esbuild";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const widgets = join(here, "..", "resnet_lib", "widgets");
const checking = process.argv.includes("--check");
mkdirSync(widgets, { recursive: true });

let stale = 0;
function keep(file, fresh, source) {
  if (!checking) writeFileSync(file, fresh);
  else if (!existsSync(file) || !readFileSync(file).equals(Buffer.from(fresh))) {
    console.error(`${file} is not what ${source} builds: run npm run build and commit it.`);
    stale = 1;
  }
}

async function compile(source, file) {
  const flags = ["-O3", "--runtime", "stub", "--noAssert", "--importMemory", "--enable", "simd"];
  let compiled;
  const { error, stderr } = await asc.main(
    [source, "--outFile", "kernels.wasm", "--baseDir", here, ...flags],
    { writeFile: (_name, bytes) => (compiled = bytes) },
  );
  if (error) throw new Error(`${source} does not compile.\n${stderr}`);
  keep(file, compiled, source);
}

// A worker is bundled by itself, and its text becomes part of the module that starts it.
const inlineWorker = {
  name: "inline-worker",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^inline-worker:/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.slice("inline-worker:".length)),
      namespace: "inline-worker",
    }));
    onLoad({ filter: /./, namespace: "inline-worker" }, async ({ path }) => ({
      contents: await text(path, "iife"),
      loader: "text",
    }));
  },
};

// An explorer is a file of explorers/: whatever lies there is found, by its name.
const everyExplorer = {
  name: "every-explorer",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^every-explorer$/ }, ({ path }) => ({ path, namespace: "every-explorer" }));
    onLoad({ filter: /./, namespace: "every-explorer" }, () => {
      const resolveDir = join(here, "explorers");
      const files = readdirSync(resolveDir).filter((file) => /^(?!index).*(?<!\.d)\.ts$/.test(file));
      const names = files.map((file) => file.replace(".ts", "")).sort();
      const imports = names.map((name) => `import ${name} from "./${name}.ts";\n`).join("");
      return { contents: `${imports}export const EXPLORERS = { ${names.join(", ")} };`, resolveDir };
    });
  },
};

async function text(source, format) {
  const { outputFiles } = await build({
    entryPoints: [source],
    bundle: true,
    minify: true,
    format,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    loader: { ".css": "text", ".wasm": "binary" },
    plugins: [inlineWorker, everyExplorer],
    write: false,
  });
  return outputFiles[0].text;
}

async function bundle(source, file) {
  keep(file, await text(join(here, source), "esm"), `web/${source}`);
}

await compile("playground/kernels/index.ts", join(here, "playground", "kernels.wasm"));
const outcomes = "playground/outcomes.json"; // also for the pages, which quote it
keep(join(widgets, "playground-outcomes.json"), readFileSync(join(here, outcomes)), `web/${outcomes}`);
await bundle("playground/node.ts", join(here, "playground", "node.mjs"));
for (const part of ["explorers", "playground"]) {
  const source = `${part}/index.ts`;
  if (existsSync(join(here, source))) await bundle(source, join(widgets, `${part}.js`));
}
process.exit(stale);
