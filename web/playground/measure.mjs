// Train the lessons' nets over several seeds and keep what came of it in outcomes.json.
//   node measure.mjs           measures the seeds that are not there; all, if the engine's numbers moved
//   node measure.mjs --list    prints all arms, each once, as JSON: a test holds the file to them
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { loadEngine, PRESETS, readImages, SEEDS } from "./node.mjs";

const QUANTITIES = ["loss", "train_error", "test_error"];
const WINDOW = 50; // iterations at the end over which the training loss is averaged
const here = (path) => new URL(path, import.meta.url);
const bytes = (path) => {
  const { buffer, byteOffset, length } = readFileSync(here(path));
  return buffer.slice(byteOffset, byteOffset + length);
};

/** What tells an arm's choices from another's, whatever its name. */
const key = ({ net, train }) => JSON.stringify([net, train]);

/** One run: the mean training loss of the last iterations, and both errors in percent after them. */
function run(engine, images, { net, train }, seed) {
  const trainer = engine.train({ ...net, seed }, train, images);
  const losses = [];
  while (trainer.iteration < train.steps && !trainer.diverged) losses.push(trainer.step().loss);
  const last = losses.slice(-WINDOW);
  const result = trainer.diverged
    ? { loss: null, train_error: null, test_error: null }
    : {
        loss: last.reduce((sum, loss) => sum + loss) / last.length,
        train_error: 100 * trainer.evaluate("train").error,
        test_error: 100 * trainer.evaluate("test").error,
      };
  trainer.free();
  return result;
}

/** Values of one quantity over seeds with their mean and range; a diverged run has none. */
function spread(values) {
  const there = values.filter((value) => value !== null);
  if (!there.length) return { mean: null, low: null, high: null, values };
  const mean = there.reduce((sum, value) => sum + value) / there.length;
  return { mean, low: Math.min(...there), high: Math.max(...there), values };
}

const arms = PRESETS.flatMap((preset) => preset.arms);

if (process.argv.includes("--list")) {
  const unique = new Map(arms.map(({ net, train }) => [key({ net, train }), { net, train }]));
  console.log(JSON.stringify([...unique.values()]));
  process.exit();
}

const engine = await loadEngine();
const images = await readImages(bytes("../../resnet_lib/widgets/playground-data.gz"));
const file = here("outcomes.json");
const old = existsSync(file) ? Object.values(JSON.parse(readFileSync(file, "utf8")).presets).flat() : [];
const moved = old.length > 0 && run(engine, images, old[0], 0).loss !== old[0].loss.values[0];
const kept = moved ? [] : old.filter(({ loss }) => loss);
const known = new Map(kept.map((outcome) => [key(outcome), outcome]));
const save = () => {
  const outcome = ({ name, net, train }) => ({ ...known.get(key({ net, train })), name, net, train });
  const presets = Object.fromEntries(PRESETS.map(({ id, arms }) => [id, arms.map(outcome)]));
  writeFileSync(file, JSON.stringify({ window: WINDOW, presets }, null, 1) + "\n");
};
for (const arm of arms) {
  const found = known.get(key(arm));
  if (found?.seeds.length === SEEDS.length) continue;
  const rows = SEEDS.map((seed) => {
    const at = found?.seeds.indexOf(seed) ?? -1;
    return at < 0
      ? run(engine, images, arm, seed)
      : Object.fromEntries(QUANTITIES.map((name) => [name, found[name].values[at]]));
  });
  known.set(key(arm), {
    ...found,
    seeds: SEEDS,
    diverged: rows.filter(({ loss }) => loss === null).length,
    ...Object.fromEntries(QUANTITIES.map((name) => [name, spread(rows.map((row) => row[name]))])),
  });
  console.log(arm.name, JSON.stringify(known.get(key(arm)).loss));
  save();
}
save();
