// Parameters and multiply-adds of a net before it is built, counted as resnet_lib.complexity does.
import type { Choice } from "./choices.ts";

export interface Cost {
  parameters: number;
  multiplyAdds: number;
}

const CLASSES = 10;

/** For images of `size` pixels; conv1 has stride 2. */
export function costOf(choice: Choice, size: number, channels: number): Cost {
  const { depth, shortcut, batchNorm, width } = choice;
  const preactivation = choice.order === "preactivation";
  let [parameters, multiplyAdds] = [0, 0];
  const convolution = (kernel: number, into: number, out: number, side: number): void => {
    const weights = kernel * kernel * into * out;
    parameters += weights + (batchNorm ? 0 : out);
    multiplyAdds += weights * side * side;
  };
  const norm = (of: number): void => {
    if (batchNorm) parameters += 2 * of;
  };
  let side = Math.ceil(size / 2);
  let into = width;
  convolution(3, channels, width, side);
  norm(width);
  for (const [stage, out] of [width, 2 * width, 4 * width].entries()) {
    for (let block = 0; block < (depth - 2) / 6; block++) {
      const changes = stage > 0 && block === 0;
      if (changes) side = Math.ceil(side / 2);
      convolution(3, into, out, side);
      convolution(3, out, out, side);
      // In pre-activation each BN stands before its convolution; conv1's serves the first block.
      if (!preactivation) norm(out);
      else if (stage + block > 0) norm(into);
      norm(out);
      if (shortcut === "C" || (shortcut === "B" && changes)) {
        convolution(1, into, out, side);
        norm(out);
      }
      into = out;
    }
  }
  if (preactivation) norm(into);
  return {
    parameters: parameters + (into + 1) * CLASSES,
    multiplyAdds: multiplyAdds + into * CLASSES,
  };
}
