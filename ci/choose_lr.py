"""Choose the learning rate of tier quick: the one at which plain56 trains best.

    python ci/choose_lr.py [TIER]

Trains plain56 on seeds 100 to 102, which no figure uses, at a list of rates, and prints the
training loss of the last window. The table in data/runs/LOG.md came from here.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import pandas as pd

from resnet_lib.experiments import plan
from resnet_lib.runner import run_all

RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def main(tier: str = "quick") -> None:
    deepest = [s for s in plan("figure6-plain", tier, (100, 101, 102)) if s.model.depth == 56]
    specs = [
        replace(spec, train=replace(spec.train, lr=lr), probe=None)
        for lr in RATES
        for spec in deepest
    ]
    rows, records = [], run_all(specs)
    if any(record.status == "interrupted" for record in records) or len(records) < len(specs):
        sys.exit("Stopped: a rate is chosen from all runs.")
    for record in records:
        last = record.curves[record.curves["split"] == "train"].iloc[-1]
        seed = record.train["seed"]
        rows.append((record.train["lr"], seed, last["loss"], last["top1_error"], record.status))
    frame = pd.DataFrame(rows, columns=["lr", "seed", "loss", "error", "status"])
    table = frame.pivot(index="lr", columns="seed", values="loss")
    table["mean loss"] = frame.groupby("lr")["loss"].mean()
    table["mean error"] = frame.groupby("lr")["error"].mean()
    print(table.round(3).to_string())
    print("chosen:", table["mean loss"].idxmin())


if __name__ == "__main__":
    main(*sys.argv[1:])
