// The arithmetic of "build the identity": plain and residual blocks on one channel, as PyTorch
// computes them (tests/test_explorer_identity.py compares). Pictures are size x size, row by row.

export type Picture = Float64Array;

/** The 22 numbers of a block on one channel: two 3x3 kernels, each with BN's scale and shift. */
export interface Block {
  conv1: number[];
  gamma1: number;
  beta1: number;
  conv2: number[];
  gamma2: number;
  beta2: number;
}

/** What BN subtracts and divides by, in a block's two layers. */
export interface Statistics {
  mean1: number;
  var1: number;
  mean2: number;
  var2: number;
}

export const EPS = 1e-5;
export const DIRAC = [0, 0, 0, 0, 1, 0, 0, 0, 0];
export const NUMBERS = 22;

/** Mean and variance (over n, as BN normalises) of a picture. */
export function moments(x: Picture): [number, number] {
  let sum = 0;
  for (const each of x) sum += each;
  const mean = sum / x.length;
  let squares = 0;
  for (const each of x) squares += (each - mean) ** 2;
  return [mean, squares / x.length];
}

/** A 3x3 convolution of stride 1 with a border of zeros: the picture, shifted, for each weight. */
export function convolve(x: Picture, size: number, kernel: number[]): Picture {
  const out = new Float64Array(x.length);
  for (let tap = 0; tap < 9; tap++) {
    const weight = kernel[tap];
    const down = Math.floor(tap / 3) - 1;
    const across = (tap % 3) - 1;
    if (weight === 0) continue;
    const shift = down * size + across;
    const lastRow = size - Math.max(0, down);
    const lastColumn = size - Math.max(0, across);
    for (let row = Math.max(0, -down); row < lastRow; row++) {
      const end = row * size + lastColumn;
      for (let i = row * size + Math.max(0, -across); i < end; i++) out[i] += weight * x[i + shift];
    }
  }
  return out;
}

/** BN in place. */
function normalise(x: Picture, mean: number, variance: number, gamma: number, beta: number): void {
  const scale = gamma / Math.sqrt(variance + EPS);
  for (let i = 0; i < x.length; i++) x[i] = (x[i] - mean) * scale + beta;
}

function relu(x: Picture): void {
  for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
}

/** One block; `kept` are the statistics of evaluation mode, without them the picture's own serve. */
export function forward(
  block: Block, x: Picture, size: number, residual: boolean, kept?: Statistics,
): { out: Picture; used: Statistics } {
  const first = convolve(x, size, block.conv1);
  const [mean1, var1] = kept ? [kept.mean1, kept.var1] : moments(first);
  normalise(first, mean1, var1, block.gamma1, block.beta1);
  relu(first);
  const out = convolve(first, size, block.conv2);
  const [mean2, var2] = kept ? [kept.mean2, kept.var2] : moments(out);
  normalise(out, mean2, var2, block.gamma2, block.beta2);
  if (residual) for (let i = 0; i < x.length; i++) out[i] += x[i];
  relu(out);
  return { out, used: { mean1, var1, mean2, var2 } };
}

/** A picture through a stack of blocks: the outputs after 0, 1, 2 ... blocks, and BN's statistics. */
export function through(
  blocks: Block[], x: Picture, size: number, residual: boolean, kept?: Statistics[],
): { outputs: Picture[]; used: Statistics[] } {
  const outputs = [x], used: Statistics[] = [];
  blocks.forEach((block, i) => {
    const step = forward(block, outputs[i], size, residual, kept?.[i]);
    outputs.push(step.out);
    used.push(step.used);
  });
  return { outputs, used };
}

/** Numbers in [0, 1), the same for a seed everywhere (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Blocks as initialised for training: kernels normal with variance 2 / fan_in (He), BN 1 and 0. */
export function he(count: number, seed: number): Block[] {
  const next = uniform(Math.imul(seed + 1, 0x9e3779b1));
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const kernel = () => Array.from({ length: 9 }, () => Math.sqrt(2 / 9) * normal());
  return Array.from({ length: count }, () => ({
    conv1: kernel(), gamma1: 1, beta1: 0, conv2: kernel(), gamma2: 1, beta2: 0,
  }));
}

/** A plain block that copies `x`: two Dirac kernels, and BN undone by the picture's own moments. */
export function plainCopy(x: Picture): Block {
  const [mean, variance] = moments(x);
  const gamma = Math.sqrt(variance + EPS);
  return { conv1: [...DIRAC], gamma1: gamma, beta1: mean, conv2: [...DIRAC], gamma2: gamma, beta2: mean };
}

/** A residual block that copies: its last scale and shift are zero, the rest is as it was. */
export function residualCopy(block: Block): Block {
  return { ...block, gamma2: 0, beta2: 0 };
}

/** The way from one block to another: `from` at 0, `to` at 1. */
export function between(from: Block, to: Block, share: number): Block {
  const mix = (a: number, b: number) => (1 - share) * a + share * b;
  const mixed = (a: number[], b: number[]) => a.map((each, i) => mix(each, b[i]));
  return {
    conv1: mixed(from.conv1, to.conv1), gamma1: mix(from.gamma1, to.gamma1), beta1: mix(from.beta1, to.beta1),
    conv2: mixed(from.conv2, to.conv2), gamma2: mix(from.gamma2, to.gamma2), beta2: mix(from.beta2, to.beta2),
  };
}

/** The correlation of two pictures: 1 is the same up to brightness and contrast; 0 where one is flat. */
export function likeness(a: Picture, b: Picture): number {
  const [meanA, varA] = moments(a), [meanB, varB] = moments(b);
  if (!(varA > 1e-20 && varB > 1e-20)) return 0;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - meanA) * (b[i] - meanB);
  return sum / a.length / Math.sqrt(varA * varB);
}

/** The largest difference of two pixels. */
export function difference(a: Picture, b: Picture): number {
  return a.reduce((largest, each, i) => Math.max(largest, Math.abs(each - b[i])), 0);
}
