// The Residual Playground as one module: `mount` for a page of the book, and the default export for
// anywidget (JupyterLab, Colab).
import { type Address, pageAddress } from "./address.ts";
import { readImages } from "./images.ts";
import { Playground } from "./page.ts";
import style from "./style.css";
import { textsFor } from "./texts/index.ts";

// The smallest module with a SIMD instruction.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

export interface Options {
  images: string | ArrayBuffer; // an address, or the file itself
  language?: string; // such as "en"; by default that of the surrounding page
  address?: Address;
}

/** Put a playground into an element. Errors: one sentence for the reader. */
export async function mount(host: HTMLElement, options: Options): Promise<Playground> {
  const language = options.language ?? host.closest<HTMLElement>("[lang]")?.lang ?? "en";
  const texts = textsFor(language);
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(new Uint8Array(SIMD))) {
    throw new Error(texts.noWasm);
  }
  if (typeof Worker !== "function") throw new Error(texts.noWorkers);
  let images;
  try {
    images = await readImages(await fetched(options.images));
  } catch (error) {
    throw new Error(texts.noData(error instanceof Error ? error.message : String(error)));
  }
  addStyle(host);
  return new Playground(host, images, texts, options.address ?? pageAddress());
}

async function fetched(images: string | ArrayBuffer): Promise<ArrayBuffer> {
  if (typeof images !== "string") return images;
  const answer = await fetch(images);
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`.trim());
  return answer.arrayBuffer();
}

/** Once for each document, or for the shadow tree that a notebook may put the widget in. */
function addStyle(host: HTMLElement): void {
  const root = host.getRootNode();
  const place = root instanceof ShadowRoot ? root : document.head;
  if (place.querySelector("style.playground-style")) return;
  const element = document.createElement("style");
  element.className = "playground-style";
  element.textContent = style;
  place.append(element);
}

interface Model {
  get(name: "images"): DataView;
  get(name: "state"): string;
  set(name: "state", value: string): void;
  save_changes(): void;
}

/** The widget: the images come from Python, and the state goes back there. */
async function render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
  const { buffer, byteOffset, byteLength } = model.get("images");
  const images = (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength);
  const address: Address = {
    read: () => model.get("state"),
    write(state) {
      if (state === model.get("state")) return;
      model.set("state", state);
      model.save_changes();
    },
  };
  try {
    const playground = await mount(el, { images, address });
    return () => playground.close();
  } catch (error) {
    el.textContent = (error as Error).message;
    return () => {};
  }
}

export default { render };
