// The playground's images: one file, a line of JSON and then bytes, gzipped.
// ci/make_playground_data.py writes it.
import type { Images, Splits } from "./types.ts";

export interface ImageFile extends Splits {
  name: string;
  classes: string[];
  licence: string;
}

/** Read the file, whether or not a server has unzipped it on the way. */
export async function readImages(file: ArrayBuffer): Promise<ImageFile> {
  let bytes = new Uint8Array(file);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    const unzipped = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    bytes = new Uint8Array(await new Response(unzipped).arrayBuffer());
  }
  const end = bytes.indexOf("\n".charCodeAt(0));
  const { name, classes, licence, size, channels, train, test } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(0, end)),
  );
  let at = end + 1;
  const take = (length: number) => bytes.slice(at, (at += length));
  const split = (count: number): Images => {
    const pixels = take(count * channels * size * size);
    return { pixels, labels: take(count), size, channels, count };
  };
  const splits = { train: split(train), test: split(test) };
  if (at !== bytes.length) throw new Error(`The image file has ${bytes.length} bytes, not ${at}.`);
  return { name, classes, licence, ...splits };
}
