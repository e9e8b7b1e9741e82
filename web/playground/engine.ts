// The playground's engine: plain and residual nets, trained in WebAssembly.
export type * from "./types.ts";
import type { Engine } from "./types.ts";

/** Prepare the kernels, by default those that the bundle holds. */
export async function loadEngine(wasm?: BufferSource): Promise<Engine> {
  throw new Error(`The kernels are not written yet (${wasm?.byteLength ?? 0} bytes given).`);
}
