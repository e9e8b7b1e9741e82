"""Tests of the pages and of what makes them: they need Jupyter Book, which Colab has not."""

from __future__ import annotations

import sys

from helpers import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
