"""Train the playground's lessons with PyTorch, and note in outcomes.json whether they agree.

    python ci/confirm_presets.py

For every arm of web/playground/presets.ts: the library's net, three seeds of PyTorch's own random
numbers, the same images, batch size and schedule. An arm is confirmed where the means over these
seeds of the training loss and of both errors lie within the range of the engine's seeds, widened by
half of itself on each side, or by 0.05 in the loss and 2 points in an error where that is more. A
net that diverges must do so in both.

Every arm's runs go into outcomes.json when they are done: the script can be stopped at any time and
goes on with the arms that have none. (measure.mjs, which measures the engine, leaves them out of an
arm that it measures anew, and keeps them where it adds seeds: then the verdicts are found again.)
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from make_playground_data import packed

from resnet_lib import ModelConfig, build_model
from resnet_lib.runs import write_whole

ROOT = Path(__file__).resolve().parents[1]
PLAYGROUND = ROOT / "web" / "playground"
SEEDS = (0, 1, 2)
QUANTITIES = {"loss": 0.05, "train_error": 2.0, "test_error": 2.0}


def images() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Normalised images and labels of each split."""
    line, _, data = packed().partition(b"\n")
    header, data = json.loads(line), torch.frombuffer(bytearray(data), dtype=torch.uint8)
    side, splits, at = header["size"], {}, 0
    for split in ("train", "test"):
        count, pixels = header[split], header[split] * side * side
        x = data[at : at + pixels].reshape(count, 1, side, side).float()
        splits[split] = x, data[at + pixels : at + pixels + count].long()
        at += pixels + count
    train = splits["train"][0]
    mean, std = train.mean(0), train.std(correction=0)
    return {split: ((x - mean) / std, y) for split, (x, y) in splits.items()}


def model_config(net: dict) -> ModelConfig:
    """The library's configuration of a `NetChoice`."""
    width = net["widths"][0]
    assert net["widths"] == [width, 2 * width, 4 * width]
    return ModelConfig(
        net["depth"],
        shortcut=net["shortcut"],
        width=width,
        in_channels=1,
        stem_stride=2,
        batch_norm=net["batchNorm"],
        init=net["init"],
        order=net["order"],
    )


def learning_rate(choice: dict, iteration: int) -> float:
    """The schedule of a `TrainChoice`."""
    if iteration < choice["warmup"]:
        return choice["learningRate"] / 10
    return choice["learningRate"] / 10 ** sum(iteration >= m for m in choice["milestones"])


def run(net: dict, choice: dict, seed: int, window: int, splits: dict) -> dict[str, float | None]:
    """One run: mean training loss of the last iterations, and both errors in percent after them."""
    model, (x, y) = build_model(model_config(net), seed=seed), splits["train"]
    optimiser = torch.optim.SGD(
        model.parameters(), momentum=choice["momentum"], weight_decay=choice["weightDecay"], lr=1.0
    )
    draw, order, losses = torch.Generator().manual_seed(seed), torch.empty(0, dtype=torch.long), []
    for iteration in range(choice["steps"]):
        if len(order) < choice["batchSize"]:
            order = torch.randperm(len(x), generator=draw)
        batch, order = order[: choice["batchSize"]], order[choice["batchSize"] :]
        optimiser.param_groups[0]["lr"] = learning_rate(choice, iteration)
        loss = F.cross_entropy(model(x[batch]), y[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            return dict.fromkeys(QUANTITIES)
    model.eval()
    with torch.no_grad():
        wrong = {
            f"{split}_error": 100 * (model(x).argmax(1) != y).double().mean().item()
            for split, (x, y) in splits.items()
        }
    last = losses[-window:]
    return {"loss": sum(last) / len(last), **wrong}


def confirmed(outcome: dict, runs: list[dict]) -> bool:
    """Whether PyTorch's runs agree with the engine's, as said above."""
    if outcome["diverged"] or any(each["loss"] is None for each in runs):
        return outcome["diverged"] == len(outcome["seeds"]) and all(
            each["loss"] is None for each in runs
        )
    for name, least in QUANTITIES.items():
        mean = sum(each[name] for each in runs) / len(runs)
        low, high = outcome[name]["low"], outcome[name]["high"]
        margin = max((high - low) / 2, least)
        if not low - margin <= mean <= high + margin:
            return False
    return True


def rows_of(told: dict) -> list[dict[str, float | None]]:
    """The runs of an arm as they stand in outcomes.json."""
    return [{name: told[name][i] for name in QUANTITIES} for i in range(len(told["seeds"]))]


def arm_key(arm: dict) -> str:
    """What tells an arm's choices from another's, whatever its name."""
    return json.dumps([arm["net"], arm["train"]], sort_keys=True)


def main() -> None:
    torch.set_num_threads(1)
    path = PLAYGROUND / "outcomes.json"
    outcomes = json.loads(path.read_text())
    arms = [arm for preset in outcomes["presets"].values() for arm in preset]
    kept = {arm_key(arm): rows_of(arm["pytorch"]) for arm in arms if "pytorch" in arm}
    splits = images()
    for arm in arms:
        key = arm_key(arm)
        if key not in kept:
            kept[key] = [
                run(arm["net"], arm["train"], s, outcomes["window"], splits) for s in SEEDS
            ]
        told = {
            "seeds": list(SEEDS),
            **{name: [values[name] for values in kept[key]] for name in QUANTITIES},
            "confirmed": confirmed(arm, kept[key]),
        }
        if arm.get("pytorch") != told:
            arm["pytorch"] = told
            write_whole(path, json.dumps(outcomes, indent=1) + "\n")
            verdict = "confirmed" if told["confirmed"] else "not confirmed"
            print(arm["name"], f"({arm['net']['depth']} layers): {verdict}", told, flush=True)


if __name__ == "__main__":
    main()
