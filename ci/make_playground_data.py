"""Make the playground's images from the embedded set: resnet_lib/widgets/playground-data.gz.

    python ci/make_playground_data.py

Takes the first 200 training and 50 test images of each class, in the order of the sheets, reduced
to 14x14 pixels as `ImageSet.reduced` does. The file is a line of JSON that describes it, then the
bytes of the training images, their labels, the test images and their labels, all gzipped;
web/playground/images.ts reads it.
"""

from __future__ import annotations

import gzip
import json

import numpy as np
import torch
import torch.nn.functional as F

from resnet_lib.data import EMBEDDED, read_sheet
from resnet_lib.playground import IMAGES

SIZE = 14
A_CLASS = {"train": 200, "test": 50}


def split_bytes(split: str) -> tuple[bytes, int, list[str]]:
    """Pixels and then labels of one split, how many images they are, and the classes' names."""
    images, labels, classes = [], [], []
    for path in sorted((EMBEDDED / split).glob("*.webp")):
        label, _, name = path.stem.partition("_")
        tiles = read_sheet(path)[: A_CLASS[split], :, :, 0]
        grey = torch.from_numpy(np.ascontiguousarray(tiles)).unsqueeze(1).float()
        images.append(F.avg_pool2d(grey, tiles.shape[1] // SIZE).round().byte().numpy())
        labels.append(np.full(len(tiles), int(label), np.uint8))
        classes.append(name)
    pixels = np.concatenate(images)
    return pixels.tobytes() + np.concatenate(labels).tobytes(), len(pixels), classes


def packed() -> bytes:
    """The file before it is gzipped."""
    (train, n_train, classes), (test, n_test, _) = split_bytes("train"), split_bytes("test")
    header = {
        "name": "Fashion-MNIST, 14x14",
        "classes": classes,
        "licence": "MIT, Copyright (c) 2017 Zalando SE, https://tech.zalando.com",
        "size": SIZE,
        "channels": 1,
        "train": n_train,
        "test": n_test,
    }
    return json.dumps(header).encode() + b"\n" + train + test


if __name__ == "__main__":
    IMAGES.write_bytes(gzip.compress(packed(), 9, mtime=0))
    print(f"{IMAGES}: {IMAGES.stat().st_size} bytes")
