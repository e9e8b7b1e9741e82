// Small pictures as canvases: every value a square, enlarged without smoothing.
import { h } from "./dom.ts";

export { default as pixelsCss } from "./pixels.css";

const pixel = (red: number, green: number, blue: number, alpha = 255) => (alpha << 24) | (blue << 16) | (green << 8) | red;
// Signed values: their size is the opacity over the page, so that zero is the page in any theme.
const POSITIVE = pixel(38, 132, 224, 0);
const NEGATIVE = pixel(232, 106, 48, 0);
const LINE = pixel(128, 128, 128, 110);

export interface Pixels {
  element: HTMLCanvasElement;
  /** Grey values between the lowest and the highest. */
  grey(values: ArrayLike<number>): void;
  /** Blue above zero, orange below; `most` is drawn at full strength. What is no number is a line. */
  signed(values: ArrayLike<number>, most: number): void;
  /** Red, green and blue from 0 to 255, pixel by pixel. */
  colours(values: ArrayLike<number>): void;
  /** What screen readers say. */
  say(text: string): void;
}

/** A picture of so many pixels; without words it is decoration. */
export function pixels(width: number, height: number, text = ""): Pixels {
  const element = h("canvas", { width, height, class: "rnx-pixels", role: "img" });
  const context = element.getContext("2d")!;
  const image = context.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer); // a pixel each; its lowest byte is red
  const each = (paint: (i: number) => number) => {
    for (let i = 0; i < words.length; i++) words[i] = paint(i);
    context.putImageData(image, 0, 0);
  };
  const say = (words: string) => {
    if (words) element.setAttribute("aria-label", words);
    element[words ? "removeAttribute" : "setAttribute"]("aria-hidden", "true");
  };
  say(text);
  return {
    element,
    say,
    grey(values) {
      let low = Infinity;
      let high = -Infinity;
      for (let i = 0; i < values.length; i++) {
        low = Math.min(low, values[i]);
        high = Math.max(high, values[i]);
      }
      const scale = high > low && Number.isFinite(high - low) ? 255 / (high - low) : 0;
      each((i) => {
        const value = scale ? Math.round((values[i] - low) * scale) : 128;
        return pixel(value, value, value);
      });
    },
    signed(values, most) {
      each((i) => {
        if (Number.isNaN(values[i])) return LINE;
        const strength = Math.min(1, Math.abs(values[i]) / (most || 1));
        return (values[i] > 0 ? POSITIVE : NEGATIVE) | (Math.round(255 * strength ** 0.7) << 24);
      });
    },
    colours(values) {
      each((i) => pixel(values[3 * i], values[3 * i + 1], values[3 * i + 2]));
    },
  };
}
