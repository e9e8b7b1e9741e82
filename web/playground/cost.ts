// Parameters and multiply-adds of a net before it is built.
import { cifarBlocks, complexity } from "../shared/arithmetic.ts";
import type { Choice } from "./choices.ts";

export interface Cost {
  parameters: number;
  multiplyAdds: number;
}

/** For images of `size` pixels. */
export function costOf(choice: Choice, size: number, channels: number): Cost {
  const { depth, shortcut, order, batchNorm, width } = choice;
  const net = { shortcut, order, width, batch_norm: batchNorm, in_channels: channels, classes: 10, stem_stride: 2 };
  const block = "basic";
  const usual = { family: "cifar", block, stage_blocks: cifarBlocks(depth, block), stride_in: "1x1" };
  const { parameters, multiply_adds: multiplyAdds } = complexity({ ...net, ...usual }, size);
  return { parameters, multiplyAdds };
}
