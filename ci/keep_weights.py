"""Keep the final weights of some recorded runs in the repository, as float16 safetensors.

A tensor with a number that float16 has not stays in float32: a deep plain net's first layers
grow so large that BN's running variances there exceed it.

    python ci/keep_weights.py [--runs data/runs] [--out data/weights]

Run it on the machine that trained: a run's own weights.safetensors is not in the repository.
What is kept already stays as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from resnet_lib.archive import Archive, survey
from resnet_lib.checkpoints import KEPT, WEIGHTS, kept_weights
from resnet_lib.runs import ARCHIVE, RunRecord

# Arms whose seed 0 is kept: those that chapters and explorers use, and those trained longest.
WANTED = {
    "short": (
        "resnet20",
        "resnet20-B",
        "resnet20-C",
        "resnet56",
        "plain56",
        "resnet20 on embedded",
    ),
    "paper": ("plain20", "plain56", "resnet20", "resnet56", "resnet56 with warm-up"),
}
LIMIT = 13_000_000  # bytes in all


class WeightsError(RuntimeError):
    """Weights that cannot be kept; the message says why."""


def halved(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same weights with floats in float16 where it holds them. Errors: `WeightsError`."""
    found = {}
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{name} holds a number that is not finite.")
        half = tensor.half() if tensor.is_floating_point() else tensor
        found[name] = half if torch.isfinite(half).all() else tensor
    return found


def find(archive: Archive, label: str, tier: str = "short") -> RunRecord | None:
    """The record of seed 0 of an arm in a tier."""
    runs = archive.runs(label, tier)
    return next((found[0] for found in runs.values() if 0 in found), None)


def keep(archive: Archive, label: str, out: Path, tier: str = "short") -> str:
    """Keep one arm's weights; what was done, in words. Errors: `WeightsError`."""
    record = find(archive, label, tier)
    if record is None:
        return "not recorded yet"
    target = kept_weights(record, out)
    if target.exists():
        return f"kept already ({target.stat().st_size:,} bytes)"
    source = next(archive.folder.rglob(f"{record.run_id}/{WEIGHTS}"), None)
    if source is None:
        return f"recorded, but its {WEIGHTS} is not on this machine"
    data = save(halved(load_file(source)), {"model": json.dumps(record.model)})
    total = len(data) + sum(path.stat().st_size for path in out.glob("*.safetensors"))
    if total > LIMIT:
        raise WeightsError(f"with {target.name} the weights would have {total:,} bytes: too many.")
    out.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(target)
    return f"kept as {target.name} ({len(data):,} bytes)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=ARCHIVE, metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=KEPT, metavar="FOLDER")
    options = parser.parse_args()
    archive = survey(options.runs)
    try:
        for tier, labels in WANTED.items():
            for label in labels:
                told = keep(archive, label, options.out, tier)
                print(f"{tier}, {label}: {told}", flush=True)
    except WeightsError as error:
        print(f"keep_weights: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
