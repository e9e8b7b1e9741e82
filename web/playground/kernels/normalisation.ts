// BN, ReLU and the addition of the shortcut, fused: out = max(scale * y + shift + shortcut, 0).
// See convolution.ts for the layout. A batch that is no multiple of 4 leaves rows of images that
// do not exist: their gradients are kept at zero, and statistics leave them out.

const EPSILON: f32 = 1e-5;

// @ts-ignore: decorator
@inline
function sumOfFour(a: v128, b: v128, c: v128, d: v128): v128 {
  return f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
}

/** Sum of (y - centre), squared or not, over the rows of one plane; `used` bytes of each row. */
// @ts-ignore: decorator
@inline
function planeSum(y: usize, positions: i32, row: usize, used: usize, centre: v128, square: bool): v128 {
  let total = f32x4.splat(0);
  for (let position = 0; position < positions; position++) {
    let at = y + row * position;
    const end = at + used, fours = at + (used & ~63);
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (; at < fours; at += 64) {
      let v0 = f32x4.sub(v128.load(at), centre), v1 = f32x4.sub(v128.load(at, 16), centre);
      let v2 = f32x4.sub(v128.load(at, 32), centre), v3 = f32x4.sub(v128.load(at, 48), centre);
      if (square) {
        v0 = f32x4.mul(v0, v0); v1 = f32x4.mul(v1, v1);
        v2 = f32x4.mul(v2, v2); v3 = f32x4.mul(v3, v3);
      }
      s0 = f32x4.add(s0, v0); s1 = f32x4.add(s1, v1);
      s2 = f32x4.add(s2, v2); s3 = f32x4.add(s3, v3);
    }
    for (; at < end; at += 16) {
      let v = f32x4.sub(v128.load(at), centre);
      if (square) v = f32x4.mul(v, v);
      s0 = f32x4.add(s0, v);
    }
    total = f32x4.add(total, sumOfFour(s0, s1, s2, s3));
  }
  return total;
}

/**
 * Statistics of a batch, the scale and shift that BN makes of them, and their running averages.
 * Each of mean, deviation (its inverse), scale, shift, gamma, beta, runningMean and runningVar
 * has one number a channel.
 */
export function batchStatistics(
  y: usize, positions: i32, images: i32, used: i32, blocks: i32,
  gamma: usize, beta: usize, mean: usize, inverse: usize, scale: usize, shift: usize,
  runningMean: usize, runningVar: usize, momentum: f32,
): void {
  const row = <usize>images << 4, plane = row * positions;
  const count = <f32>(positions * used);
  const keep = f32x4.splat(1 - momentum), take = f32x4.splat(momentum);
  const unbiased = f32x4.splat(momentum * (count / (count - 1)));
  for (let block = 0; block < blocks; block++) {
    const at = <usize>block << 4, from = y + plane * block;
    const sum = planeSum(from, positions, row, <usize>used << 4, f32x4.splat(0), false);
    const m = f32x4.div(sum, f32x4.splat(count));
    const squares = planeSum(from, positions, row, <usize>used << 4, m, true);
    const variance = f32x4.div(squares, f32x4.splat(count));
    v128.store(mean + at, m);
    finish(at, m, variance, gamma, beta, inverse, scale, shift);
    v128.store(runningMean + at, f32x4.add(
      f32x4.mul(keep, v128.load(runningMean + at)), f32x4.mul(take, m)));
    v128.store(runningVar + at, f32x4.add(
      f32x4.mul(keep, v128.load(runningVar + at)), f32x4.mul(unbiased, variance)));
  }
}

/** The scale and shift of BN in evaluation mode. */
export function runningStatistics(
  blocks: i32, gamma: usize, beta: usize, inverse: usize, scale: usize, shift: usize,
  runningMean: usize, runningVar: usize,
): void {
  for (let block = 0; block < blocks; block++) {
    const at = <usize>block << 4;
    finish(
      at, v128.load(runningMean + at), v128.load(runningVar + at), gamma, beta, inverse, scale, shift,
    );
  }
}

function finish(
  at: usize, mean: v128, variance: v128,
  gamma: usize, beta: usize, inverse: usize, scale: usize, shift: usize,
): void {
  const root = f32x4.sqrt(f32x4.add(variance, f32x4.splat(EPSILON)));
  const i = f32x4.div(f32x4.splat(1), root);
  const s = f32x4.mul(v128.load(gamma + at), i);
  v128.store(inverse + at, i);
  v128.store(scale + at, s);
  v128.store(shift + at, f32x4.sub(v128.load(beta + at), f32x4.mul(mean, s)));
}

/**
 * out = scale * y + shift, plus the shortcut, through ReLU.
 * shortcut: 0 for none; it has fewer blocks under option A, and `sample` names the position of it
 * that each position takes (i32).
 */
export function activate(
  y: usize, positions: i32, images: i32, blocks: i32, scale: usize, shift: usize,
  shortcut: usize, shortcutBlocks: i32, shortcutPlane: usize, sample: usize,
  relu: bool, out: usize,
): void {
  const row = <usize>images << 4;
  const floor = f32x4.splat(relu ? 0 : -Infinity);
  for (let block = 0; block < blocks; block++) {
    const a = v128.load(scale + (block << 4)), b = v128.load(shift + (block << 4));
    for (let position = 0; position < positions; position++) {
      const end = y + row;
      if (shortcut && block < shortcutBlocks) {
        let s = shortcut + shortcutPlane * block + row * load<i32>(sample + (position << 2));
        for (; y < end; y += 16, s += 16, out += 16) {
          const v = f32x4.add(f32x4.add(f32x4.mul(v128.load(y), a), b), v128.load(s));
          v128.store(out, f32x4.max(v, floor));
        }
      } else {
        for (; y < end; y += 16, out += 16) {
          v128.store(out, f32x4.max(f32x4.add(f32x4.mul(v128.load(y), a), b), floor));
        }
      }
    }
  }
}

/** Close d where the ReLU let nothing through: `bytes` of each. */
export function rectifyBackward(d: usize, out: usize, bytes: usize): void {
  const end = d + bytes, zero = f32x4.splat(0);
  for (; d < end; d += 16, out += 16) {
    v128.store(d, v128.and(v128.load(d), f32x4.gt(v128.load(out), zero)));
  }
}

/**
 * From d, the gradient with respect to BN's output, those with respect to its parameters and its
 * input y. out: of the ReLU behind BN, which closes d itself first; 0 where there is none.
 */
export function normaliseBackward(
  d: usize, y: usize, out: usize, positions: i32, images: i32, used: i32, blocks: i32,
  mean: usize, inverse: usize, scale: usize, dGamma: usize, dBeta: usize,
  dy: usize, accumulate: bool,
): void {
  const row = <usize>images << 4, plane = row * positions, zero = f32x4.splat(0);
  const share = f32x4.splat(1 / <f32>(positions * used));
  for (let block = 0; block < blocks; block++) {
    const at = <usize>block << 4;
    const m = v128.load(mean + at), i = v128.load(inverse + at), k = v128.load(scale + at);
    let sum = zero, product = zero;
    for (let position = 0; position < positions; position++) {
      let s0 = zero, s1 = zero, p0 = zero, p1 = zero;
      const start = plane * block + row * position;
      let from = d + start, yFrom = y + start;
      const end = from + row;
      let gate = out + start;
      for (; from < end; from += 32, yFrom += 32) {
        let d0 = v128.load(from), d1 = v128.load(from, 16);
        if (out) {
          d0 = v128.and(d0, f32x4.gt(v128.load(gate), zero));
          d1 = v128.and(d1, f32x4.gt(v128.load(gate, 16), zero));
          v128.store(from, d0);
          v128.store(from, d1, 16);
          gate += 32;
        }
        s0 = f32x4.add(s0, d0);
        s1 = f32x4.add(s1, d1);
        p0 = f32x4.add(p0, f32x4.mul(d0, f32x4.sub(v128.load(yFrom), m)));
        p1 = f32x4.add(p1, f32x4.mul(d1, f32x4.sub(v128.load(yFrom, 16), m)));
      }
      sum = f32x4.add(sum, f32x4.add(s0, s1));
      product = f32x4.add(product, f32x4.add(p0, p1));
    }
    product = f32x4.mul(product, i);
    v128.store(dGamma + at, product);
    v128.store(dBeta + at, sum);
    // dy = scale * (d - mean of d - x * mean of d * x), where x = (y - mean) * inverse
    const c = f32x4.mul(sum, share), e = f32x4.mul(f32x4.mul(product, share), i);
    for (let position = 0; position < positions; position++) {
      const start = plane * block + row * position;
      let from = d + start, yFrom = y + start, to = dy + start;
      const end = from + (used << 4), rest = from + row;
      if (accumulate) {
        for (; from < end; from += 16, yFrom += 16, to += 16) {
          const x = f32x4.mul(f32x4.sub(v128.load(yFrom), m), e);
          const v = f32x4.mul(k, f32x4.sub(f32x4.sub(v128.load(from), c), x));
          v128.store(to, f32x4.add(v128.load(to), v));
        }
      } else {
        for (; from < end; from += 16, yFrom += 16, to += 16) {
          const x = f32x4.mul(f32x4.sub(v128.load(yFrom), m), e);
          v128.store(to, f32x4.mul(k, f32x4.sub(f32x4.sub(v128.load(from), c), x)));
        }
        for (; from < rest; from += 16, to += 16) v128.store(to, zero);
      }
    }
  }
}

/** Sums of d over positions and images, one a channel: the gradient of a bias. */
export function biasBackward(d: usize, positions: i32, images: i32, blocks: i32, db: usize): void {
  const row = <usize>images << 4;
  for (let block = 0; block < blocks; block++) {
    const from = d + row * positions * block;
    v128.store(db + (block << 4), planeSum(from, positions, row, row, f32x4.splat(0), false));
  }
}

/** to += d: `bytes` of each. */
export function accumulate(to: usize, d: usize, bytes: usize): void {
  for (const end = to + bytes; to < end; to += 16, d += 16) {
    v128.store(to, f32x4.add(v128.load(to), v128.load(d)));
  }
}

/**
 * The gradient of option A's shortcut: dx takes d at the positions it was sampled from, and zero
 * elsewhere. channels: of dx; lanes beyond them stay zero.
 */
export function sampleBackward(
  d: usize, positions: i32, images: i32, sample: usize,
  dx: usize, xPositions: i32, channels: i32,
): void {
  const row = <usize>images << 4, blocks = (channels + 3) >> 2;
  memory.fill(dx, 0, row * xPositions * blocks);
  for (let block = 0; block < blocks; block++) {
    const left = channels - (block << 2);
    const lanes = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left));
    for (let position = 0; position < positions; position++) {
      let from = d + row * (positions * block + position);
      let to = dx + row * (xPositions * block + load<i32>(sample + (position << 2)));
      for (const end = from + row; from < end; from += 16, to += 16) {
        v128.store(to, v128.and(v128.load(from), lanes));
      }
    }
  }
}
