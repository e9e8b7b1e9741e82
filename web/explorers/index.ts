// All explorers: one implementation for the pages of the book, for JupyterLab and for Colab.
//   mount(element, { name, data, state, language })   in a page
//   export default { render }                          as an anywidget
import { explain, open, type Mounted, type Options } from "../shared/explorer.ts";
import { EXPLORERS } from "every-explorer";

// Tests hold the tables of all languages against each other.
export { EXPLORERS as explorers };
export { number, textsOf } from "../shared/words.ts";
// As the Python side names nets.
export { printedName } from "../shared/nets.ts";
// Counted as resnet_lib.complexity counts, rounded as Python rounds; tests compare them.
export { cifarBlocks, complexity } from "../shared/arithmetic.ts";
export { rounded } from "../shared/rounding.ts";
// Judged as resnet_lib.analysis judges; a test compares them.
export { health } from "./signals.ts";
// The blocks of "build the identity"; a test holds them to PyTorch.
export * as identityBlocks from "./identity/net.ts";

export function mount(element: HTMLElement, options: Options): Mounted {
  const explorer = EXPLORERS[options.name];
  if (!explorer) throw new Error(`there is no explorer ${options.name}`);
  return open(explorer, element, options);
}

interface Model {
  get(name: string): any;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(name: string, listener: () => void): void;
  off(name: string, listener: () => void): void;
}

/** The anywidget: traits explorer, data, state, language; the state goes both ways. */
function render({ model, el }: { model: Model; el: HTMLElement }): (() => void) | void {
  let sent = ""; // the state that both sides have
  let mounted: Mounted;
  try {
    mounted = mount(el, {
      name: model.get("explorer"),
      data: model.get("data"),
      state: model.get("state"),
      language: model.get("language"),
      onState(_query, changes) {
        sent = JSON.stringify(changes);
        model.set("state", changes);
        model.save_changes();
      },
    });
  } catch (error) {
    return explain(el, error, model.get("language"));
  }
  const read = () => {
    const state = JSON.stringify(model.get("state"));
    if (state === sent) return;
    sent = state;
    mounted.read(model.get("state"));
  };
  const update = () => mounted.update(model.get("data"));
  model.on("change:state", read);
  model.on("change:data", update);
  return () => {
    model.off("change:state", read);
    model.off("change:data", update);
    mounted.close();
  };
}

export default { render };
