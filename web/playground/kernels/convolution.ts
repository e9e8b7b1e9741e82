// Convolution, its gradients, and the fully connected layer (a convolution of one position).
//
// A feature map lies in memory as [block of 4 channels][position][image][4 channels]: one block is
// a "plane", the images of one position a "row". So a convolution is, position by position, a
// product of matrices over the images of the batch, any stride costs the same, taps that fall on
// the padding are left out, and everything element by element runs through contiguous memory.
//
// Weights lie as [block of 4 outputs][tap][block of 4 inputs][4 inputs][4 outputs].
//
// A "plan" lists for every output position the (input position, tap) pairs that reach it: first
// positions + 1 starts, then the pairs, all i32. The gradient with respect to the input is the
// same computation with the roles of input and output exchanged in plan and weights.
//
// The innermost loops keep 8 sums in registers, for 4 images (or 4 inputs) and 8 outputs: of the
// 16 registers that baseline SIMD has on most machines, 12 are in use.

// @ts-ignore: decorator
@inline
function mac(sum: v128, a: v128, b: v128): v128 {
  return f32x4.add(sum, f32x4.mul(a, b));
}

/**
 * y = bias + w * x, or y += w * x where `accumulate` is set (then without bias).
 * images: a multiple of 4. bias: one number a channel, or 0 for none.
 */
export function convolve(
  plan: usize, positions: i32, images: i32, taps: i32,
  x: usize, xBlocks: i32, w: usize, y: usize, yBlocks: i32, bias: usize,
  xPlane: usize, accumulate: bool,
): void {
  const row = <usize>images << 4;
  const yPlane = row * positions;
  const wTap = <usize>xBlocks << 6;
  const wBlock = wTap * taps;
  const pairs = plan + ((positions + 1) << 2);
  for (let position = 0; position < positions; position++) {
    const start = plan + (position << 2);
    const first = pairs + (load<i32>(start) << 3);
    const end = pairs + (load<i32>(start, 4) << 3);
    if (accumulate && first == end) continue;
    const out = y + row * position;
    let n = 0;
    for (; n + 2 <= yBlocks; n += 2) {
      twoBlocks(
        first, end, row, x, xPlane, w + wBlock * n, wTap, wBlock, out + yPlane * n, yPlane,
        bias ? bias + (n << 4) : 0, accumulate,
      );
    }
    if (n < yBlocks) {
      oneBlock(
        first, end, row, x, xPlane, w + wBlock * n, wTap, out + yPlane * n,
        bias ? bias + (n << 4) : 0, accumulate,
      );
    }
  }
}

/** One position of `convolve`, 8 output channels. */
function twoBlocks(
  first: usize, end: usize, row: usize, x: usize, xPlane: usize,
  w: usize, wTap: usize, wBlock: usize, y: usize, yPlane: usize, bias: usize, accumulate: bool,
): void {
  const b0 = bias ? v128.load(bias) : f32x4.splat(0);
  const b1 = bias ? v128.load(bias, 16) : f32x4.splat(0);
  for (let image: usize = 0; image < row; image += 64) {
    const y0 = y + image, y1 = y0 + yPlane;
    let s00 = b0, s10 = b0, s20 = b0, s30 = b0;
    let s01 = b1, s11 = b1, s21 = b1, s31 = b1;
    if (accumulate) {
      s00 = v128.load(y0); s10 = v128.load(y0, 16); s20 = v128.load(y0, 32); s30 = v128.load(y0, 48);
      s01 = v128.load(y1); s11 = v128.load(y1, 16); s21 = v128.load(y1, 32); s31 = v128.load(y1, 48);
    }
    for (let pair = first; pair < end; pair += 8) {
      let a = x + row * load<i32>(pair) + image;
      let w0 = w + wTap * load<i32>(pair, 4);
      const stop = w0 + wTap;
      while (w0 < stop) {
        for (let c: usize = 0; c < 16; c += 4) {
          const u0 = v128.load(w0), u1 = v128.load(w0 + wBlock);
          const ac = a + c;
          let v = v128.load32_splat(ac); s00 = mac(s00, v, u0); s01 = mac(s01, v, u1);
          v = v128.load32_splat(ac, 16); s10 = mac(s10, v, u0); s11 = mac(s11, v, u1);
          v = v128.load32_splat(ac, 32); s20 = mac(s20, v, u0); s21 = mac(s21, v, u1);
          v = v128.load32_splat(ac, 48); s30 = mac(s30, v, u0); s31 = mac(s31, v, u1);
          w0 += 16;
        }
        a += xPlane;
      }
    }
    v128.store(y0, s00); v128.store(y0, s10, 16); v128.store(y0, s20, 32); v128.store(y0, s30, 48);
    v128.store(y1, s01); v128.store(y1, s11, 16); v128.store(y1, s21, 32); v128.store(y1, s31, 48);
  }
}

/** One position of `convolve`, the last 4 output channels of an odd number of blocks. */
function oneBlock(
  first: usize, end: usize, row: usize, x: usize, xPlane: usize,
  w: usize, wTap: usize, y: usize, bias: usize, accumulate: bool,
): void {
  const b = bias ? v128.load(bias) : f32x4.splat(0);
  for (let image: usize = 0; image < row; image += 64) {
    const y0 = y + image;
    let s0 = b, s1 = b, s2 = b, s3 = b;
    if (accumulate) {
      s0 = v128.load(y0); s1 = v128.load(y0, 16); s2 = v128.load(y0, 32); s3 = v128.load(y0, 48);
    }
    for (let pair = first; pair < end; pair += 8) {
      let a = x + row * load<i32>(pair) + image;
      let w0 = w + wTap * load<i32>(pair, 4);
      const stop = w0 + wTap;
      while (w0 < stop) {
        for (let c: usize = 0; c < 16; c += 4) {
          const u = v128.load(w0), ac = a + c;
          s0 = mac(s0, v128.load32_splat(ac), u);
          s1 = mac(s1, v128.load32_splat(ac, 16), u);
          s2 = mac(s2, v128.load32_splat(ac, 32), u);
          s3 = mac(s3, v128.load32_splat(ac, 48), u);
          w0 += 16;
        }
        a += xPlane;
      }
    }
    v128.store(y0, s0); v128.store(y0, s1, 16); v128.store(y0, s2, 32); v128.store(y0, s3, 48);
  }
}

/** dw += the gradient with respect to the weights, summed over positions and images. */
export function convolveWeights(
  plan: usize, positions: i32, images: i32, taps: i32,
  x: usize, xBlocks: i32, dw: usize, dy: usize, yBlocks: i32, xPlane: usize,
): void {
  const row = <usize>images << 4;
  const yPlane = row * positions;
  const wTap = <usize>xBlocks << 6;
  const wBlock = wTap * taps;
  const pairs = plan + ((positions + 1) << 2);
  for (let position = 0; position < positions; position++) {
    const start = plan + (position << 2);
    const end = pairs + (load<i32>(start, 4) << 3);
    for (let pair = pairs + (load<i32>(start) << 3); pair < end; pair += 8) {
      const a = x + row * load<i32>(pair);
      const w = dw + wTap * load<i32>(pair, 4);
      const d = dy + row * position;
      for (let c = 0; c < xBlocks; c++) {
        const ac = a + xPlane * c, wc = w + (c << 6);
        let n = 0;
        for (; n + 2 <= yBlocks; n += 2) {
          outerTwo(ac, d + yPlane * n, yPlane, row, wc + wBlock * n, wBlock);
        }
        if (n < yBlocks) outerOne(ac, d + yPlane * n, row, wc + wBlock * n);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function add(to: usize, sum: v128): void {
  v128.store(to, f32x4.add(v128.load(to), sum));
}

/** w += the products of 4 input and 8 output channels, summed over a row of images. */
function outerTwo(a: usize, d: usize, dPlane: usize, row: usize, w: usize, wBlock: usize): void {
  let s00 = f32x4.splat(0), s10 = s00, s20 = s00, s30 = s00;
  let s01 = s00, s11 = s00, s21 = s00, s31 = s00;
  const end = a + row;
  while (a < end) {
    const u0 = v128.load(d), u1 = v128.load(d + dPlane);
    let v = v128.load32_splat(a);  s00 = mac(s00, v, u0); s01 = mac(s01, v, u1);
    v = v128.load32_splat(a, 4);   s10 = mac(s10, v, u0); s11 = mac(s11, v, u1);
    v = v128.load32_splat(a, 8);   s20 = mac(s20, v, u0); s21 = mac(s21, v, u1);
    v = v128.load32_splat(a, 12);  s30 = mac(s30, v, u0); s31 = mac(s31, v, u1);
    a += 16;
    d += 16;
  }
  add(w, s00); add(w + 16, s10); add(w + 32, s20); add(w + 48, s30);
  w += wBlock;
  add(w, s01); add(w + 16, s11); add(w + 32, s21); add(w + 48, s31);
}

/** The same for 4 output channels. */
function outerOne(a: usize, d: usize, row: usize, w: usize): void {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  const end = a + row;
  while (a < end) {
    const u = v128.load(d);
    s0 = mac(s0, v128.load32_splat(a), u);
    s1 = mac(s1, v128.load32_splat(a, 4), u);
    s2 = mac(s2, v128.load32_splat(a, 8), u);
    s3 = mac(s3, v128.load32_splat(a, 12), u);
    a += 16;
    d += 16;
  }
  add(w, s0); add(w + 16, s1); add(w + 32, s2); add(w + 48, s3);
}

/** Exchange inputs and outputs in weights: [outputs][tap][inputs] -> [inputs][tap][outputs]. */
export function transpose(w: usize, taps: i32, xBlocks: i32, yBlocks: i32, out: usize): void {
  for (let n = 0; n < yBlocks; n++) {
    for (let tap = 0; tap < taps; tap++) {
      for (let c = 0; c < xBlocks; c++) {
        const to = out + (((c * taps + tap) * yBlocks + n) << 6);
        const r0 = v128.load(w), r1 = v128.load(w, 16), r2 = v128.load(w, 32), r3 = v128.load(w, 48);
        const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
        const e = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7), f = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
        v128.store(to, v128.shuffle<f32>(a, b, 0, 1, 4, 5));
        v128.store(to, v128.shuffle<f32>(a, b, 2, 3, 6, 7), 16);
        v128.store(to, v128.shuffle<f32>(e, f, 0, 1, 4, 5), 32);
        v128.store(to, v128.shuffle<f32>(e, f, 2, 3, 6, 7), 48);
        w += 64;
      }
    }
  }
}
