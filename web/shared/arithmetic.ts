// What a net costs, counted from its configuration: the same numbers as resnet_lib.complexity, to
// which a test holds them for every named net.

export interface Config {
  /** How many blocks each stage has. */
  stage_blocks: number[];
  shortcut: string;
  width: number;
  in_channels: number;
  classes: number;
  stem_stride: number;
  batch_norm: boolean;
  family: string;
  block: string;
  stride_in: string;
  order: string;
}

export interface Layer {
  name: string;
  kernel: number;
  inputs: number;
  outputs: number;
  stride: number;
  size: number;
  parameters: number;
  multiply_adds: number;
}

export interface Block {
  layers: Layer[];
  /** none (plain), identity, padding (option A at a change of dimensions) or projection. */
  shortcut: string;
  projection: Layer | null;
  parameters: number;
  multiply_adds: number;
  size: number;
}

export interface Stage {
  name: string;
  channels: number;
  size: number;
  blocks: number;
  parameters: number;
  multiply_adds: number;
  detail: Block[];
}

export interface Complexity {
  weighted_layers: number;
  parameters: number;
  multiply_adds: number;
  stages: Stage[];
}

/** The p of a CIFAR net's depth pn+2, by its blocks. */
export const PER_N: Record<string, number> = { basic: 6, bottleneck: 9 };
/** Layers of the paper's deepest net; none is counted beyond. */
export const DEEPEST = 1202;

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

/** Blocks in each stage of a CIFAR net. Errors: `RangeError` for a depth that none has. */
export function cifarBlocks(depth: number, block: string): number[] {
  const n = (depth - 2) / PER_N[block];
  if (!Number.isInteger(n) || n < 1 || depth > DEEPEST) throw new RangeError(`no net has ${depth} layers`);
  return [n, n, n];
}

function convolution(
  name: string, kernel: number, inputs: number, outputs: number, stride: number, before: number, bias: boolean,
): Layer {
  const size = Math.ceil(before / stride);
  const weights = kernel * kernel * inputs * outputs;
  return {
    name, kernel, inputs, outputs, stride, size,
    parameters: weights + (bias ? outputs : 0),
    multiply_adds: weights * size * size,
  };
}

/** One block; activated: its input has been through BN and ReLU, as that of a net's first has. */
function countBlock(config: Config, inputs: number, width: number, stride: number, before: number, activated: boolean): Block {
  const bias = !config.batch_norm;
  const outputs = width * (config.block === "bottleneck" ? 4 : 1);
  const [first, second] = config.stride_in === "1x1" ? [stride, 1] : [1, stride];
  const shapes: [number, number, number, number][] =
    config.block === "bottleneck"
      ? [[1, inputs, width, first], [3, width, width, second], [1, width, outputs, 1]]
      : [[3, inputs, width, stride], [3, width, width, 1]];
  let size = before;
  const layers = shapes.map(([kernel, from, to, step], i) => {
    const layer = convolution(`conv${i + 1}`, kernel, from, to, step, size, bias);
    size = layer.size;
    return layer;
  });
  const changes = stride !== 1 || inputs !== outputs;
  const projects = config.shortcut === "C" || (config.shortcut === "B" && changes);
  const projection = projects ? convolution("projection", 1, inputs, outputs, stride, before, bias) : null;
  const shortcut =
    config.shortcut === "none" ? "none" : projects ? "projection" : changes ? "padding" : "identity";
  // Where BN follows a convolution it is as wide as its output, before one as its input.
  const norms = config.order === "preactivation"
    ? layers.map((layer, i) => (i === 0 && activated ? 0 : layer.inputs))
    : layers.map((layer) => layer.outputs);
  const bn = config.batch_norm ? 2 * (sum(norms) + (projects ? outputs : 0)) : 0;
  return {
    layers, shortcut, projection, size,
    parameters: sum(layers.map((layer) => layer.parameters)) + (projection?.parameters ?? 0) + bn,
    multiply_adds: sum(layers.map((layer) => layer.multiply_adds)) + (projection?.multiply_adds ?? 0),
  };
}

/** Count a net for one image, by default of its family's size. */
export function complexity(config: Config, imageSize = config.family === "imagenet" ? 224 : 32): Complexity {
  const imagenet = config.family === "imagenet";
  const bias = !config.batch_norm;
  const bn = (channels: number) => (config.batch_norm ? 2 * channels : 0);
  const stem = imagenet
    ? convolution("conv1", 7, config.in_channels, config.width, 2, imageSize, bias)
    : convolution("conv1", 3, config.in_channels, config.width, config.stem_stride, imageSize, bias);
  const stages: Stage[] = [{
    name: "conv1", channels: config.width, size: stem.size, blocks: 0,
    parameters: stem.parameters + bn(config.width), multiply_adds: stem.multiply_adds,
    detail: [],
  }];
  let size = imagenet ? Math.ceil(stem.size / 2) : stem.size;
  let channels = config.width;
  config.stage_blocks.forEach((count, number) => {
    const width = config.width * 2 ** number;
    const detail: Block[] = [];
    for (let i = 0; i < count; i++) {
      const block = countBlock(config, channels, width, number > 0 && i === 0 ? 2 : 1, size, number === 0 && i === 0);
      channels = block.layers.at(-1)!.outputs;
      size = block.size;
      detail.push(block);
    }
    const last = number === config.stage_blocks.length - 1 && config.order === "preactivation" ? bn(channels) : 0;
    stages.push({
      name: `conv${number + 2}_x`, channels, size, blocks: count, detail,
      parameters: sum(detail.map((block) => block.parameters)) + last,
      multiply_adds: sum(detail.map((block) => block.multiply_adds)),
    });
  });
  const weights = channels * config.classes;
  stages.push({
    name: "fc", channels: config.classes, size: 1, blocks: 0, detail: [],
    parameters: weights + config.classes, multiply_adds: weights,
  });
  return {
    weighted_layers: 2 + sum(stages.flatMap((stage) => stage.detail.map((block) => block.layers.length))),
    parameters: sum(stages.map((stage) => stage.parameters)),
    multiply_adds: sum(stages.map((stage) => stage.multiply_adds)),
    stages,
  };
}
