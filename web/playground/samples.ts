// What the nets see: one training image of each class, as coarse as they get it.
import { h } from "../shared/dom.ts";
import type { ImageFile } from "./images.ts";
import type { Texts } from "./texts/index.ts";

const GAP = 2; // pixels between two images

/** A line of pictures with a sentence before it. */
export function samples({ train, classes }: ImageFile, texts: Texts): HTMLElement {
  const { size, channels, pixels, labels } = train;
  const wide = classes.length * (size + GAP) - GAP;
  const canvas = h("canvas", { width: wide, height: size, role: "img", "aria-label": classes.map(texts.classOf).join(texts.comma) });
  const pen = canvas.getContext("2d");
  classes.forEach((_, label) => {
    const first = labels.indexOf(label);
    if (!pen || first < 0) return;
    const picture = pen.createImageData(size, size);
    for (let at = 0; at < size * size; at++) {
      for (let channel = 0; channel < 3; channel++) {
        const plane = first * channels + Math.min(channel, channels - 1);
        picture.data[4 * at + channel] = pixels[plane * size * size + at];
      }
      picture.data[4 * at + 3] = 255;
    }
    pen.putImageData(picture, label * (size + GAP), 0);
  });
  return h("p", { class: "samples" }, texts.samples, canvas);
}
