// The two ends of a net, the optimiser, measurements and random numbers.
// exp and log are AssemblyScript's own, compiled into this file: every browser computes them alike.

/** Images of a batch as floats: (pixel - mean of that pixel) / deviation. */
export function gather(
  pixels: usize, batch: usize, used: i32, images: i32, positions: i32, channels: i32,
  means: usize, deviation: f32, x: usize,
): void {
  const bytes = positions * channels;
  for (let image = 0; image < used; image++) {
    const from = pixels + load<i32>(batch + (image << 2)) * bytes;
    for (let channel = 0; channel < channels; channel++) {
      for (let position = 0; position < positions; position++) {
        const at = channel * positions + position;
        const value = (<f32>load<u8>(from + at) - load<f32>(means + (at << 2))) / deviation;
        const row = (channel >> 2) * positions + position;
        store<f32>(x + ((row * images + image) << 4) + ((channel & 3) << 2), value);
      }
    }
  }
}

/** Global average pooling. */
export function pool(x: usize, positions: i32, images: i32, blocks: i32, out: usize): void {
  const row = <usize>images << 4, share = f32x4.splat(1 / <f32>positions);
  for (let block = 0; block < blocks; block++) {
    for (let image: usize = 0; image < row; image += 16) {
      let sum = f32x4.splat(0);
      for (let position = 0; position < positions; position++) {
        sum = f32x4.add(sum, v128.load(x + row * position + image));
      }
      v128.store(out + image, f32x4.mul(sum, share));
    }
    x += row * positions;
    out += row;
  }
}

export function poolBackward(d: usize, positions: i32, images: i32, blocks: i32, dx: usize): void {
  const row = <usize>images << 4, share = f32x4.splat(1 / <f32>positions);
  for (let block = 0; block < blocks; block++) {
    for (let position = 0; position < positions; position++) {
      for (let image: usize = 0; image < row; image += 16) {
        v128.store(dx + image, f32x4.mul(v128.load(d + image), share));
      }
      dx += row;
    }
    d += row;
  }
}

let wrong: i32 = 0;

/** How many images the last `crossEntropy` saw classified wrongly. */
export function errors(): i32 {
  return wrong;
}

/**
 * Sum of the cross-entropies of a batch; d, unless 0, is set to the gradient of their mean with
 * respect to the logits, and must have been zero where there are no images and no classes.
 */
export function crossEntropy(
  logits: usize, batch: usize, labels: usize, used: i32, images: i32, classes: i32, d: usize,
): f64 {
  let total: f64 = 0;
  wrong = 0;
  for (let image = 0; image < used; image++) {
    const label = <i32>load<u8>(labels + load<i32>(batch + (image << 2)));
    let best = 0;
    for (let i = 1; i < classes; i++) {
      if (logit(logits, images, image, i) > logit(logits, images, image, best)) best = i;
    }
    if (best != label) wrong++;
    const largest = logit(logits, images, image, best);
    let sum: f64 = 0;
    for (let i = 0; i < classes; i++) sum += Math.exp(logit(logits, images, image, i) - largest);
    total += Math.log(sum) + largest - logit(logits, images, image, label);
    if (!d) continue;
    for (let i = 0; i < classes; i++) {
      const share = Math.exp(logit(logits, images, image, i) - largest) / sum;
      const target: f64 = i == label ? 1 : 0;
      store<f32>(place(d, images, image, i), <f32>((share - target) / <f64>used));
    }
  }
  return total;
}

function place(logits: usize, images: i32, image: i32, i: i32): usize {
  return logits + (((i >> 2) * images + image) << 4) + ((i & 3) << 2);
}

function logit(logits: usize, images: i32, image: i32, i: i32): f64 {
  return <f64>load<f32>(place(logits, images, image, i));
}

/** SGD with momentum as PyTorch has it: v = momentum v + g + decay w; w -= rate v. */
export function descend(
  w: usize, g: usize, v: usize, bytes: usize, rate: f32, momentum: f32, decay: f32,
): void {
  const r = f32x4.splat(rate), m = f32x4.splat(momentum), k = f32x4.splat(decay);
  for (const end = w + bytes; w < end; w += 16, g += 16, v += 16) {
    const old = v128.load(w);
    const push = f32x4.add(v128.load(g), f32x4.mul(k, old));
    const speed = f32x4.add(f32x4.mul(m, v128.load(v)), push);
    v128.store(v, speed);
    v128.store(w, f32x4.sub(old, f32x4.mul(r, speed)));
  }
}

/** Norm of numbers, in double precision: squares of vanishing gradients must not underflow. */
export function norm(a: usize, bytes: usize): f64 {
  let s0 = f64x2.splat(0), s1 = s0;
  for (const end = a + bytes; a < end; a += 16) {
    const v = v128.load(a);
    const low = f64x2.promote_low_f32x4(v);
    const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(v, v, 2, 3, 2, 3));
    s0 = f64x2.add(s0, f64x2.mul(low, low));
    s1 = f64x2.add(s1, f64x2.mul(high, high));
  }
  const s = f64x2.add(s0, s1);
  return Math.sqrt(f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1));
}

/** Standard deviation of scale * y + shift over images that exist, positions and channels. */
export function spread(
  y: usize, positions: i32, images: i32, used: i32, channels: i32, scale: usize, shift: usize,
): f64 {
  const count = <f64>(positions * used * channels);
  let mean: f64 = 0, squares: f64 = 0;
  for (let pass = 0; pass < 2; pass++) {
    let sum: f64 = 0;
    for (let channel = 0; channel < channels; channel++) {
      const a = <f64>load<f32>(scale + (channel << 2)), b = <f64>load<f32>(shift + (channel << 2));
      for (let position = 0; position < positions; position++) {
        const row = ((channel >> 2) * positions + position) * images;
        const from = y + (row << 4) + ((channel & 3) << 2);
        for (let image = 0; image < used; image++) {
          const value = a * <f64>load<f32>(from + (image << 4)) + b - mean;
          sum += pass ? value * value : value;
        }
      }
    }
    if (pass) squares = sum;
    else mean = sum / count;
  }
  return Math.sqrt(squares / (count - 1));
}

/** Begin a stream of random numbers (SplitMix64); its state is 8 bytes at `stream`. */
export function openStream(stream: usize, purpose: u32, seed: u32): void {
  store<u64>(stream, mix(mix(<u64>purpose + 1) + <u64>seed));
}

function mix(z: u64): u64 {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

function next(stream: usize): u64 {
  const state = load<u64>(stream) + 0x9e3779b97f4a7c15;
  store<u64>(stream, state);
  return mix(state);
}

/** Uniform in [0, 1). */
function uniform(stream: usize): f64 {
  return <f64>(next(stream) >> 11) * (1.0 / 9007199254740992.0);
}

/** Normal numbers of mean 0, by Marsaglia's polar method. */
export function normals(stream: usize, out: usize, count: i32, deviation: f64): void {
  for (let i = 0; i < count; i += 2) {
    let u: f64, v: f64, s: f64;
    do {
      u = 2 * uniform(stream) - 1;
      v = 2 * uniform(stream) - 1;
      s = u * u + v * v;
    } while (s >= 1 || s == 0);
    const factor = Math.sqrt((-2 * Math.log(s)) / s) * deviation;
    store<f32>(out + (i << 2), <f32>(u * factor));
    if (i + 1 < count) store<f32>(out + (i << 2), <f32>(v * factor), 4);
  }
}

/** Put i32 numbers into a random order. */
export function shuffle(stream: usize, a: usize, count: i32): void {
  for (let i = count - 1; i > 0; i--) {
    const j = <i32>(uniform(stream) * <f64>(i + 1));
    const kept = load<i32>(a + (i << 2));
    store<i32>(a + (i << 2), load<i32>(a + (j << 2)));
    store<i32>(a + (j << 2), kept);
  }
}
