"""Write what the pages need of every explorer: python -m resnet_lib.widgets FOLDER.

FOLDER/NAME.json is its data, FOLDER/NAME.html its default view as a plain figure with a sentence.
Files that would not change keep their time stamps.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

from resnet_lib.runs import write_whole
from resnet_lib.widgets import as_json, explorer, names, plain_view


def main(folder: Path) -> None:
    matplotlib.use("agg")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names():
        data = explorer(name).data()
        files = {f"{name}.json": as_json(data), f"{name}.html": plain_view(name, data)}
        for file, text in files.items():
            path = folder / file
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                write_whole(path, text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
