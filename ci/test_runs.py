"""Test recorded nets under several protocols, and together, and keep the errors in data/tests.csv.

    python ci/test_runs.py [--tier short] [--runs data/runs/short]

Run it on the machine that trained, which has the weights. What is kept already is not repeated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from resnet_lib import load
from resnet_lib.archive import survey
from resnet_lib.experiments import TIERS
from resnet_lib.runs import RecordError
from resnet_lib.tested import measure_test
from resnet_lib.testing import PROTOCOLS

# Arms that saw one scale in training, and those that saw many.
ALONE = {"short": ("resnet20", "resnet32", "resnet20, scales"), "paper": ()}
IMAGES = 2_000  # for all protocols: several scales take eighteen times the work of one view
# Nets of different depth, as in the paper's ensemble.
TOGETHER = {
    "short": ("resnet32", "resnet44", "preresnet56"),
    "paper": ("resnet20", "resnet56", "resnet56 with warm-up"),
}


def main() -> int:
    """Measure what is missing, seed by seed; say what has no weights here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tier", choices=TOGETHER, default="short")
    parser.add_argument("--runs", type=Path, help="default: data/runs/TIER")
    given = parser.parse_args()
    folder, tier = given.runs or Path("data/runs") / given.tier, TIERS[given.tier]
    archive, data, together = survey(folder), load(tier.data), TOGETHER[given.tier]
    wanted = [((label,), each, IMAGES) for label in ALONE[given.tier] for each in PROTOCOLS]
    wanted += [((label,), "centre-crop", None) for label in together]
    wanted += [(together, "centre-crop", None)]
    for labels, protocol, images in wanted:
        for seed in tier.seeds:
            runs = [archive.runs(label, tier).values() for label in labels]
            found = [next((each[seed] for each in some if seed in each), None) for some in runs]
            what = f"{' + '.join(labels)}, seed {seed}, {protocol}"
            if None in found:
                print(f"{what}: not recorded yet")
                continue
            try:
                row = measure_test(
                    [folder / each.run_id for each in found], protocol, images=images, data=data
                )
            except RecordError as error:
                print(f"{what}: {error}")
                continue
            print(f"{what}: {row['top1_error']:.2f}% of {row['images']:,} images", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
