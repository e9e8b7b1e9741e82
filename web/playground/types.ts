// What the playground's engine takes and gives. Names are those of resnet_lib and of the papers.

/** A net of 6n+2 weighted layers, as in the paper's section 4.2: three stages of n blocks each. */
export interface NetChoice {
  /** 6n+2: 8, 14, 20, ... 110. */
  depth: number;
  /** "none" is a plain net; A pads with zeros, B projects where dimensions change, C everywhere. */
  shortcut: "none" | "A" | "B" | "C";
  /** Of BN, ReLU and addition in a block: the paper's, or the second paper's full pre-activation. */
  order: "original" | "preactivation";
  /** BN after (before, in pre-activation) each convolution; without it convolutions have a bias. */
  batchNorm: boolean;
  /** He normal (fan in), Glorot normal, or normal of deviation 0.01. */
  init: "he" | "xavier" | "small";
  /** Channels of conv2_x, conv3_x and conv4_x. */
  widths: [number, number, number];
  /** Of the initial weights and of the batches: nets of one depth and seed start as twins. */
  seed: number;
}

/** How a net is trained: SGD with momentum, the learning rate divided by 10 at each milestone. */
export interface TrainChoice {
  learningRate: number;
  /** Iterations at a tenth of the learning rate before the full one. */
  warmup: number;
  batchSize: number;
  /** Iterations that the caller means to take; the engine itself has no end. */
  steps: number;
  momentum: number;
  weightDecay: number;
  /** Iterations at which the learning rate is divided by 10, growing. */
  milestones: number[];
}

/** Square images of one split: pixels are bytes, (count, channels, size, size). */
export interface Images {
  pixels: Uint8Array;
  labels: Uint8Array;
  size: number;
  channels: number;
  count: number;
}

export interface Splits {
  train: Images;
  test: Images;
}

/** One weighted layer of the main path on the last step's batch; see resnet_lib/analysis.py. */
export interface Signal {
  /** Such as "conv1" or "conv3_x.0.conv2". */
  name: string;
  /** Standard deviation of the output after BN, before ReLU or addition. */
  response: number;
  /** Norm of the loss's gradient with respect to that output. */
  activationGradient: number;
  /** Norm of the loss's gradient with respect to the layer's weights. */
  weightGradient: number;
}

/** A trainable tensor, named and shaped as in the state dictionary of resnet_lib's net. */
export interface Tensor {
  name: string;
  shape: number[];
  values: Float32Array;
  /** Of the last step; absent for BN's running statistics. */
  gradient?: Float32Array;
}

/** A net in training. */
export interface Trainer {
  /** Steps taken. */
  readonly iteration: number;
  /** Trainable numbers, and multiply-adds for one image, counted as resnet_lib.complexity does. */
  readonly parameters: number;
  readonly multiplyAdds: number;
  /** Whether a loss was not finite: the net will not recover. */
  readonly diverged: boolean;
  /** Indices of the training images of the last step's batch. */
  readonly batch: Int32Array;
  /** One SGD step: the batch's mean loss before it, and how many of its images were wrong. */
  step(): { loss: number; errors: number };
  /**
   * Mean loss and share of wrong images (0 to 1) over a split, with BN's running statistics. These
   * lag some dozens of steps behind: a deep plain net evaluates wildly at the beginning.
   */
  evaluate(split: "train" | "test"): { loss: number; error: number };
  /** Signals of the last step's batch, one a layer in order; before the first step an empty list. */
  signals(): Signal[];
  /** Copies of all parameters with their gradients, and of BN's running statistics. */
  tensors(): Tensor[];
  /** Give the memory back; the trainer must not be used any more. */
  free(): void;
}

export interface Engine {
  /** Start a net. Throws a RangeError of one sentence for choices that make no net. */
  train(net: NetChoice, train: TrainChoice, images: Splits): Trainer;
  /** Bytes of memory held, by trainers and in reserve for the next one. */
  readonly bytes: number;
}
