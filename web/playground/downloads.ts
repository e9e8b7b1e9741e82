// What a reader can take along: all numbers as CSV, and a chart as an image.
import { h } from "../shared/dom.ts";
import { nameOf } from "./choices.ts";
import type { Arm } from "./runs.ts";

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function saveTable(rows: (string | number | boolean)[][], name: string): void {
  const text = rows.map((row) => row.join(",")).join("\n") + "\n";
  save(new Blob([text], { type: "text/csv" }), name);
}

const CHOICES = [
  "shortcut", "order", "batchNorm", "init", "width", "learningRate", "drops", "warmup",
  "batchSize", "steps", "momentum", "weightDecay",
] as const;
const CHOICE_HEADS = [
  "shortcut", "order", "batch_norm", "init", "width", "lr", "lr_drops", "warmup",
  "batch_size", "steps", "momentum", "weight_decay",
];

/**
 * One row an iteration: split "batch" for the batch trained on; "test" where the test set was
 * judged, and "train" for the training set at the end. Errors in percent.
 */
export function curvesTable(arms: Arm[]): (string | number | boolean)[][] {
  const head = ["net", "model", ...CHOICE_HEADS, "seed", "iteration", "split", "loss", "top1_error"];
  const rows: (string | number | boolean)[][] = [head];
  for (const arm of arms) {
    for (const run of arm.runs) {
      const choices = CHOICES.map((name) => arm.choice[name]);
      const what = [arm.number, nameOf(arm.choice), ...choices, run.seed];
      run.losses.forEach((loss, i) => rows.push([...what, i + 1, "batch", loss, run.errors[i]]));
      for (const each of run.test) rows.push([...what, each.iteration, "test", each.loss, each.error]);
      if (run.train) {
        const { iteration, loss, error } = run.train;
        rows.push([...what, iteration, "train", loss, error]);
      }
    }
  }
  return rows;
}

/** One row a layer and moment. */
export function signalsTable(arms: Arm[]): (string | number | boolean)[][] {
  const signals = ["response_std", "activation_gradient", "weight_gradient"];
  const rows: (string | number | boolean)[][] = [
    ["net", "model", "shortcut", "seed", "iteration", "layer", ...signals],
  ];
  for (const arm of arms) {
    for (const run of arm.runs) {
      for (const at of run.signals) {
        at.response.forEach((response, i) => {
          const values = [response, at.activationGradient[i], at.weightGradient[i]];
          const what = [arm.number, nameOf(arm.choice), arm.choice.shortcut, run.seed];
          rows.push([...what, at.iteration, i + 1, ...values]);
        });
      }
    }
  }
  return rows;
}

export const saveCurves = (arms: Arm[]): void =>
  saveTable(curvesTable(arms), "playground-curves.csv");
export const saveSignals = (arms: Arm[]): void =>
  saveTable(signalsTable(arms), "playground-layers.csv");

const STYLES = [
  "fill", "stroke", "stroke-width", "stroke-linejoin", "paint-order",
  "font-family", "font-size", "font-weight", "opacity", "visibility",
];

/** The chart as it looks now, twice as large, on the page's colour. */
export async function saveImage(chart: SVGSVGElement, title: string): Promise<void> {
  const copy = chart.cloneNode(true) as SVGSVGElement;
  const originals = [chart, ...chart.querySelectorAll<SVGElement>("*")];
  [copy, ...copy.querySelectorAll<SVGElement>("*")].forEach((element, i) => {
    const style = getComputedStyle(originals[i]);
    for (const name of STYLES) element.style.setProperty(name, style.getPropertyValue(name));
  });
  const { width, height } = chart.viewBox.baseVal;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  const picture = new Image();
  picture.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await picture.decode();
  const canvas = h("canvas", { width: 2 * width, height: 2 * height + 44 });
  const pen = canvas.getContext("2d")!;
  const { color, backgroundColor, fontFamily } = getComputedStyle(chart.closest(".playground")!);
  pen.fillStyle = backgroundColor;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = color;
  pen.font = `24px ${fontFamily}`;
  pen.fillText(title, 12, 32, canvas.width - 24);
  pen.drawImage(picture, 0, 44, 2 * width, 2 * height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
  if (!blob) throw new Error("The canvas gives no image.");
  save(blob, "playground.png");
}
