// The playground's arithmetic, in AssemblyScript for WebAssembly with 128-bit SIMD.
// Addresses are bytes, and all memory belongs to the caller (web/playground/net.ts).
export * from "./convolution";
export * from "./normalisation";
export * from "./peak";
export * from "./training";
