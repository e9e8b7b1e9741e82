"""Test recorded nets under several protocols, and together, and keep the errors in data/tests.csv.

    python ci/test_runs.py [--runs data/runs/short]

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

# Arms of tier short: those that saw one scale in training, and those that saw many.
ALONE = ("resnet20", "resnet32", "resnet20, scales")
IMAGES = 2_000  # for all protocols: several scales take eighteen times the work of one view
# Nets of different depth, as in the paper's ensemble.
TOGETHER = ("resnet32", "resnet44", "preresnet56")


def main() -> int:
    """Measure what is missing, seed by seed; say what has no weights here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("data/runs/short"))
    folder = parser.parse_args().runs
    archive, data, tier = survey(folder), load(TIERS["short"].data), TIERS["short"]
    wanted = [((label,), each, IMAGES) for label in ALONE for each in PROTOCOLS]
    wanted += [((label,), "centre-crop", None) for label in TOGETHER]
    wanted += [(TOGETHER, "centre-crop", None)]
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
