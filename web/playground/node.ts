// What Node takes from the playground, for tests, measurements and the benchmark: node.mjs is built
// from here and committed, so that none of them needs the packages of package.json.
export * from "./engine.ts";
export * from "./images.ts";
export * from "./presets.ts";
export { default as kernels } from "./kernels.wasm";
