"""Where the repository's own data are: images, records, weights, the papers' numbers.

They are no part of the package: the library is installed from a clone, `pip install -e .`.
"""

from __future__ import annotations

from pathlib import Path

from resnet_lib.configs import ConfigError

DATA = Path(__file__).resolve().parents[1] / "data"


def in_repository(path: Path) -> Path:
    """A file or folder below DATA. Errors: `ConfigError` where there is no clone around."""
    if not path.exists():
        raise ConfigError(
            f"{path} is missing: it is part of the repository, so install resnet_lib from a clone "
            "of it (pip install -e .)."
        )
    return path
