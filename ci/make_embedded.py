"""Make data/images/ from Fashion-MNIST's original files, losslessly.

    python ci/make_embedded.py FOLDER_WITH_THE_FOUR_IDX_GZ_FILES

Takes the first 1,000 training and 200 test images of each class, in the order of the files, and
writes one lossless WebP sheet a class: tiles of 28x28, 50 a row, in row-major order. The sheets
are decoded again and compared before the script ends. Debian's package dataset-fashion-mnist
installs the files in /usr/share/datasets/fashion-mnist.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from resnet_lib.data import EMBEDDED, TILES_A_ROW

CLASSES = [
    "tshirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
]


def read_idx(path: Path, header: int) -> np.ndarray:
    """The bytes of an IDX file after its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def main(folder: Path) -> None:
    checksums = []
    for split, prefix, count in (("train", "train", 1000), ("test", "t10k", 200)):
        images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", 8)
        (EMBEDDED / split).mkdir(parents=True, exist_ok=True)
        for label, name in enumerate(CLASSES):
            tiles = images[labels == label][:count]
            sheet = (
                tiles.reshape(-1, TILES_A_ROW, 28, 28).swapaxes(1, 2).reshape(-1, TILES_A_ROW * 28)
            )
            path = EMBEDDED / split / f"{label}_{name}.webp"
            Image.fromarray(sheet).convert("RGB").save(path, lossless=True, quality=100, method=6)
            if not np.array_equal(np.asarray(Image.open(path))[..., 1], sheet):
                raise SystemExit(f"{path} does not decode to the images it was made from.")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            checksums.append(f"{digest}  {split}/{path.name}\n")
    (EMBEDDED / "SHA256SUMS").write_text("".join(checksums))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
