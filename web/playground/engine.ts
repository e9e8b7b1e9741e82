// The playground's engine: plain and residual nets, trained in WebAssembly.
//
//   const engine = await loadEngine();
//   const trainer = engine.train(net, train, images);
//   while (trainer.iteration < train.steps) console.log(trainer.step().loss);
//   trainer.free();
//
// The same choices give the same numbers, to the last bit, wherever it runs.
import { check } from "./check.ts";
import kernels from "./kernels.wasm";
import { Net, type Kernels, type Parameter } from "./net.ts";
import type {
  Engine, Images, NetChoice, Signal, Splits, Tensor, TrainChoice, Trainer,
} from "./types.ts";

export type * from "./types.ts";

const PAGE = 65536;
const CLASSES = 10;
/** Purposes of the random streams, so that a shortcut's projections disturb nothing else. */
const MAIN_PATH = 0, PROJECTIONS = 1, BATCHES = 2;

/** Prepare the kernels, by default those that the bundle holds. */
export async function loadEngine(wasm: BufferSource = kernels): Promise<Engine> {
  const module = await WebAssembly.compile(wasm);
  const reserve: WebAssembly.Memory[] = [];
  const held = new Set<WebAssembly.Memory>();
  return {
    train(net, train, images) {
      check(net, train, images);
      // Memory of a trainer that was freed serves the next one: browsers collect it late.
      const memory = reserve.pop() ?? new WebAssembly.Memory({ initial: 1 });
      held.add(memory);
      return new Training(net, train, images, module, memory, () => {
        held.delete(memory);
        reserve.push(memory);
      });
    },
    get bytes() {
      return [...held, ...reserve].reduce((sum, each) => sum + each.buffer.byteLength, 0);
    },
  };
}

class Training implements Trainer {
  iteration = 0;
  diverged = false;
  readonly batch: Int32Array;
  private net: Net;
  private k: Kernels;
  private velocity: number;
  private sets: Record<"train" | "test", { pixels: number; labels: number; count: number }>;
  private means: number;
  private deviation: number;
  private indices: number;
  private streams: number;
  private order: number;
  private left = 0;
  private kept: Signal[] | undefined = [];

  constructor(
    choice: NetChoice,
    private recipe: TrainChoice,
    images: Splits,
    module: WebAssembly.Module,
    private memory: WebAssembly.Memory,
    private release: () => void,
  ) {
    const { train } = images;
    const net = new Net(choice, recipe.batchSize, train.size, train.channels, CLASSES);
    const { layout } = net;
    this.net = net;
    this.batch = new Int32Array(recipe.batchSize);
    this.velocity = layout.take(net.parameterBytes);
    const hold = ({ pixels, labels, count }: Images) => ({
      pixels: layout.hold(pixels), labels: layout.hold(labels), count,
    });
    this.sets = { train: hold(train), test: hold(images.test) };
    const { means, deviation } = statistics(train);
    this.means = layout.hold(means);
    this.deviation = deviation;
    this.indices = layout.take(4 * net.images);
    this.streams = layout.take(24);
    this.order = layout.hold(Int32Array.from({ length: train.count }, (_, i) => i));
    // Room for the largest parameter in PyTorch's order.
    const draws = layout.take(Math.max(...net.parameters.map((each) => each.bytes)));

    const missing = layout.bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    new Uint8Array(memory.buffer).fill(0);
    const { exports } = new WebAssembly.Instance(module, { env: { memory, abort } });
    this.k = exports as Kernels;
    for (const [address, data] of layout.constants) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      new Uint8Array(memory.buffer, address, bytes.length).set(bytes);
    }
    for (const purpose of [MAIN_PATH, PROJECTIONS, BATCHES]) {
      this.k.openStream(this.streams + 8 * purpose, purpose, choice.seed);
    }
    for (const each of net.parameters) this.initialise(each, draws);
  }

  private initialise({ shape, start, address, index }: Parameter, draws: number): void {
    const count = size(shape);
    const drawn = new Float32Array(this.memory.buffer, draws, count);
    if (typeof start === "number") drawn.fill(start);
    else {
      const { fanIn, fanOut, projection } = start;
      const { init } = this.net.choice;
      const deviation =
        init === "small" ? 0.01 : Math.sqrt(2 / (init === "he" ? fanIn : fanIn + fanOut));
      const stream = this.streams + 8 * (projection ? PROJECTIONS : MAIN_PATH);
      this.k.normals(stream, draws, count, deviation);
    }
    const values = new Float32Array(this.memory.buffer, address);
    for (let i = 0; i < count; i++) values[index(i)] = drawn[i];
  }

  get parameters(): number {
    return this.net.parameters.reduce((sum, { shape }) => sum + size(shape), 0);
  }

  get multiplyAdds(): number {
    return this.net.multiplyAdds;
  }

  step(): { loss: number; errors: number } {
    const { net, k, recipe } = this;
    this.nextBatch();
    this.kept = undefined;
    const used = recipe.batchSize;
    this.forward("train", used, true);
    new Uint8Array(this.memory.buffer, net.gradients, net.parameterBytes).fill(0);
    const loss = this.loss("train", used, net.logits.gradient) / used;
    const errors = k.errors();
    net.backward(k);
    k.descend(
      net.values, net.gradients, this.velocity, net.parameterBytes,
      this.rate(), recipe.momentum, recipe.weightDecay,
    );
    this.iteration++;
    this.diverged ||= !Number.isFinite(loss);
    return { loss, errors };
  }

  private rate(): number {
    const { learningRate, warmup, milestones } = this.recipe;
    if (this.iteration < warmup) return learningRate / 10;
    // Not 10 ** n: engines of JavaScript may round powers differently.
    const divisor = milestones.reduce((d, each) => (this.iteration >= each ? d * 10 : d), 1);
    return learningRate / divisor;
  }

  /** An epoch is a new order of the images; those that do not fill a last batch are left out. */
  private nextBatch(): void {
    const { batchSize } = this.recipe;
    const { count } = this.sets.train;
    if (this.left < batchSize) {
      this.k.shuffle(this.streams + 8 * BATCHES, this.order, count);
      this.left = count;
    }
    const at = this.order + 4 * (count - this.left);
    this.batch.set(new Int32Array(this.memory.buffer, at, batchSize));
    this.left -= batchSize;
    new Int32Array(this.memory.buffer, this.indices, batchSize).set(this.batch);
  }

  private forward(split: "train" | "test", used: number, training: boolean): void {
    const { net, k } = this;
    const { size, channels, address } = net.input;
    k.gather(
      this.sets[split].pixels, this.indices, used, net.images, size ** 2, channels,
      this.means, this.deviation, address,
    );
    net.forward(k, training);
  }

  private loss(split: "train" | "test", used: number, gradient: number): number {
    const { net, k } = this;
    if (gradient) new Uint8Array(this.memory.buffer, gradient, net.bytes(net.logits)).fill(0);
    return k.crossEntropy(
      net.logits.address, this.indices, this.sets[split].labels, used, net.images, CLASSES, gradient,
    );
  }

  evaluate(split: "train" | "test"): { loss: number; error: number } {
    this.kept = this.signals(); // the batch's activations are about to be overwritten
    const { count } = this.sets[split];
    let loss = 0, errors = 0;
    for (let start = 0; start < count; start += this.recipe.batchSize) {
      const used = Math.min(this.recipe.batchSize, count - start);
      const indices = new Int32Array(this.memory.buffer, this.indices, used);
      for (let i = 0; i < used; i++) indices[i] = start + i;
      this.forward(split, used, false);
      loss += this.loss(split, used, 0);
      errors += this.k.errors();
    }
    return { loss: loss / count, error: errors / count };
  }

  signals(): Signal[] {
    const { net, k } = this;
    this.kept ??= net.probes.map(({ name, feature, scale, shift, weight, gradient }) => ({
      name,
      response: k.spread(
        feature.address, feature.size ** 2, net.images, net.used, feature.channels, scale, shift,
      ),
      activationGradient: gradient,
      weightGradient: k.norm(weight.gradient, weight.bytes),
    }));
    return this.kept;
  }

  tensors(): Tensor[] {
    const read = (address: number, count: number, index = (i: number) => i) => {
      const from = new Float32Array(this.memory.buffer, address);
      return Float32Array.from({ length: count }, (_, i) => from[index(i)]);
    };
    return [
      ...this.net.parameters.map(({ name, shape, address, gradient, index }) => ({
        name,
        shape,
        values: read(address, size(shape), index),
        gradient: read(gradient, size(shape), index),
      })),
      ...this.net.statistics.map(({ name, channels, address }) => ({
        name, shape: [channels], values: read(address, channels),
      })),
    ];
  }

  free(): void {
    this.release();
    this.release = () => {};
    this.k = {};
  }
}

const size = (shape: number[]) => shape.reduce((product, each) => product * each, 1);

function abort(): never {
  throw new Error("the playground's kernels stopped");
}

/** Mean of each pixel and one deviation for all, as resnet_lib.batches.Normaliser takes them. */
function statistics({ pixels, count }: Images): { means: Float32Array; deviation: number } {
  const each = pixels.length / count;
  const sums = new Float64Array(each);
  let sum = 0, squares = 0;
  for (let i = 0; i < pixels.length; i++) {
    const value = pixels[i];
    sums[i % each] += value;
    sum += value;
    squares += value * value;
  }
  const mean = sum / pixels.length;
  const deviation = Math.sqrt(squares / pixels.length - mean * mean);
  return { means: Float32Array.from(sums, (total) => total / count), deviation: deviation || 1 };
}
