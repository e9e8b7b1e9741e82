// A net as a list of operations over memory whose layout is fixed before the first of them runs.
// kernels/convolution.ts describes how feature maps and weights lie.
import type { NetChoice } from "./types.ts";

/** The exports of kernels.wasm. */
export type Kernels = Record<string, (...numbers: number[]) => number>;

/** Hands out addresses; the first page belongs to the kernels' constants. */
export class Layout {
  bytes = 65536;
  /** What must be written once the memory is there. */
  readonly constants: [number, Int32Array | Uint8Array | Float32Array][] = [];

  take(bytes: number): number {
    const address = this.bytes;
    this.bytes += Math.ceil(bytes / 64) * 64;
    return address;
  }

  hold(data: Int32Array | Uint8Array | Float32Array): number {
    const address = this.take(data.byteLength);
    this.constants.push([address, data]);
    return address;
  }

  fill(channels: number, value: number): number {
    return this.hold(new Float32Array(blocks(channels) * 4).fill(value));
  }
}

export const blocks = (channels: number) => Math.ceil(channels / 4);

/** A feature map and the gradient with respect to it. */
export interface Feature {
  channels: number;
  size: number;
  address: number;
  gradient: number;
}

/** A trainable tensor; `index` says where each number of PyTorch's order lies. */
export interface Parameter {
  name: string;
  shape: number[];
  address: number;
  gradient: number;
  bytes: number;
  index: (i: number) => number;
  /** What it is drawn from; BN's scales and all shifts and biases start as constants. */
  start: { fanIn: number; fanOut: number; projection: boolean } | number;
}

/** BN's running statistics: named, one number a channel, and no gradient. */
export interface Statistic {
  name: string;
  channels: number;
  address: number;
}

/** A layer of the main path whose signals are measured. */
export interface Probe {
  name: string;
  feature: Feature;
  scale: number;
  shift: number;
  weight: Parameter;
  /** Whether the output is taken behind the BN that follows. */
  normalised: boolean;
  /** Norm of the gradient with respect to the layer's output in the last step. */
  gradient: number;
}

interface Operation {
  forward(k: Kernels, training: boolean): void;
  backward(k: Kernels): void;
  /** Choose memory for gradients; called in the order of the backward pass. */
  place(gradients: Gradients): void;
}

/** Memory for gradients, used again as soon as nothing needs what it holds. */
class Gradients {
  private spare = new Map<number, number[]>();
  private users = new Map<number, number>();
  constructor(private net: Net) {}

  /** Give a feature's gradient memory; true where an earlier operation did and has written it. */
  want(feature: Feature): boolean {
    if (feature.gradient) return true;
    const bytes = this.net.bytes(feature);
    feature.gradient = this.spare.get(bytes)?.pop() ?? this.net.layout.take(bytes);
    this.users.set(feature.gradient, 1);
    return false;
  }

  /** Let `feature` begin with the gradient that `other` has. */
  share(feature: Feature, other: Feature): void {
    if (feature.gradient) throw new Error("a gradient that is there already cannot be shared");
    feature.gradient = other.gradient;
    this.users.set(other.gradient, this.users.get(other.gradient)! + 1);
  }

  done(feature: Feature): void {
    const left = this.users.get(feature.gradient)! - 1;
    this.users.set(feature.gradient, left);
    if (left) return;
    const bytes = this.net.bytes(feature);
    this.spare.set(bytes, [...(this.spare.get(bytes) ?? []), feature.gradient]);
  }
}

export class Net {
  readonly layout = new Layout();
  readonly parameters: Parameter[] = [];
  readonly statistics: Statistic[] = [];
  readonly probes: Probe[] = [];
  readonly input: Feature;
  readonly logits: Feature;
  /** Images of a batch, and the multiple of 4 at which they are computed. */
  readonly images: number;
  /** Values, gradients and velocities of all parameters lie in three stretches of so many bytes. */
  readonly parameterBytes: number;
  readonly values: number;
  readonly gradients: number;
  multiplyAdds = 0;
  private operations: Operation[] = [];
  private plans = new Map<string, number>();
  /** Room for the largest weight, transposed. */
  readonly transposed: number;
  transposedBytes = 0;

  constructor(
    readonly choice: NetChoice,
    readonly used: number,
    size: number,
    channels: number,
    classes: number,
  ) {
    this.images = Math.ceil(used / 4) * 4;
    this.input = this.feature(channels, size);
    this.logits = this.build(classes);
    this.transposed = this.layout.take(this.transposedBytes);
    const backward = new Gradients(this);
    backward.want(this.logits);
    for (const operation of [...this.operations].reverse()) operation.place(backward);
    this.parameterBytes = this.parameters.reduce((sum, each) => sum + each.bytes, 0);
    this.values = this.layout.take(this.parameterBytes);
    this.gradients = this.layout.take(this.parameterBytes);
    let offset = 0;
    for (const each of this.parameters) {
      each.address = this.values + offset;
      each.gradient = this.gradients + offset;
      offset += each.bytes;
    }
  }

  /** The paper's section 4.2; names of layers and parameters are those of resnet_lib's nets. */
  private build(classes: number): Feature {
    const { depth, widths, order, batchNorm } = this.choice;
    const preactivation = order === "preactivation";
    let x = this.convolution("conv1", this.input, widths[0], 3, 2, !batchNorm);
    x = this.normalisation("bn1", x, true);
    widths.forEach((width, stage) => {
      for (let index = 0; index < (depth - 2) / 6; index++) {
        const name = `conv${stage + 2}_x.${index}`;
        const stride = stage > 0 && index === 0 ? 2 : 1;
        const activated = stage === 0 && index === 0;
        x = preactivation
          ? this.unit(name, x, width, stride, activated)
          : this.block(name, x, width, stride);
      }
    });
    if (preactivation) x = this.normalisation("conv4_x.bn", x, true);
    const pooled = this.feature(x.channels, 1);
    this.operations.push(new Pooling(this, x, pooled));
    return this.convolution("fc", pooled, classes, 1, 1, true);
  }

  /** The first paper's block: BN after each convolution, ReLU after the addition. */
  private block(name: string, x: Feature, width: number, stride: number): Feature {
    const { batchNorm } = this.choice;
    const shortcut = this.shortcut(name, x, width, stride);
    let y = this.convolution(`${name}.conv1`, x, width, 3, stride, !batchNorm);
    y = this.normalisation(`${name}.bn1`, y, true);
    y = this.convolution(`${name}.conv2`, y, width, 3, 1, !batchNorm);
    return this.normalisation(`${name}.bn2`, y, true, shortcut);
  }

  /** The second paper's unit: BN and ReLU before each convolution, nothing after the addition. */
  private unit(name: string, x: Feature, width: number, stride: number, activated: boolean): Feature {
    const bias = !this.choice.batchNorm;
    const shortcut = this.shortcut(name, x, width, stride);
    let y = activated ? x : this.normalisation(`${name}.residual.bn1`, x, true);
    y = this.convolution(`${name}.residual.conv1`, y, width, 3, stride, bias);
    y = this.normalisation(`${name}.residual.bn2`, y, true);
    y = this.convolution(`${name}.residual.conv2`, y, width, 3, 1, bias);
    if (!shortcut) return y;
    const sum = this.feature(width, y.size);
    this.operations.push(new Activation(this, y, sum, { relu: false, shortcut }));
    return sum;
  }

  private shortcut(name: string, x: Feature, width: number, stride: number): Feature | undefined {
    const { shortcut, batchNorm } = this.choice;
    const changes = stride !== 1 || x.channels !== width;
    if (shortcut === "none") return undefined;
    if (shortcut === "A" || (shortcut === "B" && !changes)) return x;
    const y = this.convolution(`${name}.shortcut.conv`, x, width, 1, stride, !batchNorm);
    return batchNorm ? this.normalisation(`${name}.shortcut.bn`, y, false) : y;
  }

  private convolution(
    name: string, x: Feature, channels: number, kernel: number, stride: number, bias: boolean,
  ): Feature {
    const y = this.feature(channels, Math.ceil(x.size / stride));
    const operation = new Convolution(this, name, x, y, kernel, stride, bias);
    this.operations.push(operation);
    if (operation.probe) this.probes.push(operation.probe);
    return y;
  }

  /** BN, the addition of a shortcut and ReLU; without BN the last two only. */
  private normalisation(name: string, y: Feature, relu: boolean, shortcut?: Feature): Feature {
    const out = this.feature(y.channels, y.size);
    if (!this.choice.batchNorm) {
      this.operations.push(new Activation(this, y, out, { relu, shortcut }));
      return out;
    }
    const operation = new Normalisation(this, name, y, out, { relu, shortcut });
    this.operations.push(operation);
    // In the paper's order a layer's output is what BN makes of it.
    const probe = this.probes[this.probes.length - 1];
    if (this.choice.order === "original" && probe.feature === y) operation.watch(probe);
    return out;
  }

  /** A feature map of a batch. */
  feature(channels: number, size: number): Feature {
    const feature = { channels, size, address: 0, gradient: 0 };
    feature.address = this.layout.take(this.bytes(feature));
    return feature;
  }

  bytes({ channels, size }: { channels: number; size: number }): number {
    return blocks(channels) * size * size * this.images * 16;
  }

  plane(feature: Feature): number {
    return feature.size * feature.size * this.images * 16;
  }

  parameter(
    name: string, shape: number[], start: Parameter["start"], bytes: number,
    index = (i: number) => i,
  ): Parameter {
    const parameter = { name, shape, start, bytes, index, address: 0, gradient: 0 };
    this.parameters.push(parameter);
    return parameter;
  }

  /** Which positions of an input each position of an output sees, and the other way round. */
  plan(from: number, to: number, kernel: number, stride: number, backward: boolean): number {
    const key = [from, to, kernel, stride, backward].join();
    const known = this.plans.get(key);
    if (known !== undefined) return known;
    const count = (backward ? from : to) ** 2;
    const pairs: [number, number][][] = Array.from({ length: count }, () => []);
    const padding = (kernel - 1) / 2;
    for (let y = 0; y < to; y++) {
      for (let x = 0; x < to; x++) {
        for (let tap = 0; tap < kernel * kernel; tap++) {
          const row = y * stride + Math.floor(tap / kernel) - padding;
          const column = x * stride + (tap % kernel) - padding;
          if (row < 0 || column < 0 || row >= from || column >= from) continue;
          const [input, output] = [row * from + column, y * to + x];
          if (backward) pairs[input].push([output, tap]);
          else pairs[output].push([input, tap]);
        }
      }
    }
    const starts = [0];
    for (const each of pairs) starts.push(starts[starts.length - 1] + each.length);
    const address = this.layout.hold(Int32Array.from([...starts, ...pairs.flat(2)]));
    this.plans.set(key, address);
    return address;
  }

  forward(k: Kernels, training: boolean): void {
    for (const operation of this.operations) operation.forward(k, training);
  }

  backward(k: Kernels): void {
    for (let i = this.operations.length - 1; i >= 0; i--) this.operations[i].backward(k);
  }
}

class Convolution implements Operation {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  readonly probe?: Probe;
  private plans: [number, number];
  private accumulate = false;

  constructor(
    private net: Net, name: string, private x: Feature, private y: Feature,
    private kernel: number, stride: number, bias: boolean,
  ) {
    const taps = kernel * kernel, inputs = blocks(x.channels), outputs = blocks(y.channels);
    const bytes = outputs * taps * inputs * 64;
    const dense = name === "fc";
    const shape = [y.channels, x.channels, ...(dense ? [] : [kernel, kernel])];
    const projection = name.includes(".shortcut.");
    const start = { fanIn: taps * x.channels, fanOut: taps * y.channels, projection };
    this.weight = net.parameter(`${name}.weight`, shape, start, bytes, (i) => {
      const tap = i % taps, c = Math.floor(i / taps) % x.channels;
      const n = Math.floor(i / taps / x.channels);
      const block = ((n >> 2) * taps + tap) * inputs + (c >> 2);
      return block * 16 + (c & 3) * 4 + (n & 3);
    });
    if (bias) this.bias = net.parameter(`${name}.bias`, [y.channels], 0, outputs * 16);
    this.plans = [
      net.plan(x.size, y.size, kernel, stride, false),
      net.plan(x.size, y.size, kernel, stride, true),
    ];
    net.transposedBytes = Math.max(net.transposedBytes, bytes);
    net.multiplyAdds += taps * x.channels * y.channels * y.size ** 2;
    if (!dense && !projection) {
      this.probe = {
        name: name.replace("residual.", ""),
        feature: y,
        scale: net.layout.fill(y.channels, 1),
        shift: net.layout.fill(y.channels, 0),
        weight: this.weight,
        normalised: false,
        gradient: 0,
      };
    }
  }

  place(gradients: Gradients): void {
    if (this.x !== this.net.input) this.accumulate = gradients.want(this.x);
    gradients.done(this.y);
  }

  forward(k: Kernels): void {
    const { net, x, y, kernel } = this;
    k.convolve(
      this.plans[0], y.size ** 2, net.images, kernel ** 2, x.address, blocks(x.channels),
      this.weight.address, y.address, blocks(y.channels), this.bias?.address ?? 0,
      net.plane(x), 0,
    );
  }

  backward(k: Kernels): void {
    const { net, x, y, kernel, weight, probe } = this;
    const [from, to] = [blocks(x.channels), blocks(y.channels)];
    if (probe && !probe.normalised) probe.gradient = k.norm(y.gradient, net.bytes(y));
    if (this.bias) k.biasBackward(y.gradient, y.size ** 2, net.images, to, this.bias.gradient);
    k.convolveWeights(
      this.plans[0], y.size ** 2, net.images, kernel ** 2, x.address, from,
      weight.gradient, y.gradient, to, net.plane(x),
    );
    if (x === net.input) return;
    k.transpose(weight.address, kernel ** 2, from, to, net.transposed);
    k.convolve(
      this.plans[1], x.size ** 2, net.images, kernel ** 2, y.gradient, to,
      net.transposed, x.gradient, from, 0, net.plane(y), Number(this.accumulate),
    );
  }
}

interface Ending {
  relu: boolean;
  shortcut?: Feature;
}

/** ReLU and the addition of a shortcut, where there is no BN with them. */
class Activation implements Operation {
  protected sample = 0;
  protected samples = false;
  protected scale: number;
  protected shift: number;
  private accumulate = false;

  constructor(
    protected net: Net, protected y: Feature, protected out: Feature, protected ending: Ending,
  ) {
    this.scale = net.layout.fill(y.channels, 1);
    this.shift = net.layout.fill(y.channels, 0);
    const { shortcut } = ending;
    if (!shortcut) return;
    this.samples = shortcut.size !== y.size || shortcut.channels !== y.channels;
    // Option A: the shortcut's every second pixel, the channels it lacks zero.
    const stride = shortcut.size === y.size ? 1 : 2;
    const places = Array.from({ length: y.size ** 2 }, (_, i) => {
      const [row, column] = [Math.floor(i / y.size), i % y.size];
      return row * stride * shortcut.size + column * stride;
    });
    this.sample = net.layout.hold(Int32Array.from(places));
  }

  place(gradients: Gradients): void {
    this.placeShortcut(gradients);
    if (this.y.gradient) this.accumulate = true;
    else gradients.share(this.y, this.out);
    gradients.done(this.out);
  }

  protected placeShortcut(gradients: Gradients): void {
    const { shortcut } = this.ending;
    if (!shortcut) return;
    if (this.samples) gradients.want(shortcut);
    else gradients.share(shortcut, this.out);
  }

  forward(k: Kernels, _training: boolean): void {
    const { net, y, out, ending } = this;
    const { shortcut } = ending;
    k.activate(
      y.address, y.size ** 2, net.images, blocks(y.channels), this.scale, this.shift,
      shortcut?.address ?? 0, shortcut ? blocks(shortcut.channels) : 0,
      shortcut ? net.plane(shortcut) : 0, this.sample, Number(ending.relu), out.address,
    );
  }

  backward(k: Kernels): void {
    const { net, y, out, ending } = this;
    const bytes = net.bytes(y);
    if (ending.relu) k.rectifyBackward(out.gradient, out.address, bytes);
    this.shortcutBackward(k);
    if (this.accumulate) k.accumulate(y.gradient, out.gradient, bytes);
  }

  protected shortcutBackward(k: Kernels): void {
    const { net, out, ending } = this;
    const { shortcut } = ending;
    if (!shortcut || !this.samples) return;
    k.sampleBackward(
      out.gradient, out.size ** 2, net.images, this.sample,
      shortcut.gradient, shortcut.size ** 2, shortcut.channels,
    );
  }
}

/** BN, then what `Activation` does. */
class Normalisation extends Activation {
  private gamma: Parameter;
  private beta: Parameter;
  private runningMean: number;
  private runningVar: number;
  private mean: number;
  private inverse: number;
  private adds = false;
  private probe?: Probe;

  constructor(net: Net, name: string, y: Feature, out: Feature, ending: Ending) {
    super(net, y, out, ending);
    const { channels } = y, bytes = blocks(channels) * 16;
    this.gamma = net.parameter(`${name}.weight`, [channels], 1, bytes);
    this.beta = net.parameter(`${name}.bias`, [channels], 0, bytes);
    this.mean = net.layout.fill(channels, 0);
    this.inverse = net.layout.fill(channels, 1);
    this.runningMean = net.layout.fill(channels, 0);
    this.runningVar = net.layout.fill(channels, 1);
    net.statistics.push(
      { name: `${name}.running_mean`, channels, address: this.runningMean },
      { name: `${name}.running_var`, channels, address: this.runningVar },
    );
  }

  watch(probe: Probe): void {
    this.probe = probe;
    probe.normalised = true;
    probe.scale = this.scale;
    probe.shift = this.shift;
  }

  place(gradients: Gradients): void {
    this.placeShortcut(gradients);
    this.adds = gradients.want(this.y);
    gradients.done(this.out);
  }

  forward(k: Kernels, training: boolean): void {
    const { net, y, gamma, beta } = this;
    const made = [gamma.address, beta.address] as const;
    if (training) {
      k.batchStatistics(
        y.address, y.size ** 2, net.images, net.used, blocks(y.channels), ...made, this.mean,
        this.inverse, this.scale, this.shift, this.runningMean, this.runningVar, 0.1,
      );
    } else {
      k.runningStatistics(
        blocks(y.channels), ...made, this.inverse, this.scale, this.shift,
        this.runningMean, this.runningVar,
      );
    }
    super.forward(k, training);
  }

  backward(k: Kernels): void {
    const { net, y, out, ending } = this;
    k.normaliseBackward(
      out.gradient, y.address, ending.relu ? out.address : 0, y.size ** 2, net.images, net.used,
      blocks(y.channels), this.mean, this.inverse, this.scale, this.gamma.gradient,
      this.beta.gradient, y.gradient, Number(this.adds),
    );
    this.shortcutBackward(k);
    if (this.probe) this.probe.gradient = k.norm(out.gradient, net.bytes(out));
  }
}

class Pooling implements Operation {
  constructor(private net: Net, private x: Feature, private out: Feature) {}

  place(gradients: Gradients): void {
    gradients.want(this.x);
    gradients.done(this.out);
  }

  forward(k: Kernels): void {
    const { net, x, out } = this;
    k.pool(x.address, x.size ** 2, net.images, blocks(x.channels), out.address);
  }

  backward(k: Kernels): void {
    const { net, x, out } = this;
    k.poolBackward(out.gradient, x.size ** 2, net.images, blocks(x.channels), x.gradient);
  }
}
