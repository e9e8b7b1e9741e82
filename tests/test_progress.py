"""The progress bar of a single run."""

from __future__ import annotations

import re

from helpers import RECIPE, tiny_train

from resnet_lib import progress


def watched(monkeypatch):
    """The bars that are made, and what each showed when it was made and when it was last moved."""
    bars = []

    class Bar(progress.tqdm):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.began_at, self.moves = self.n, []
            bars.append(self)

        def update(self, n=1):
            self.moves.append(n)
            return super().update(n)

    monkeypatch.setattr(progress, "tqdm", Bar)
    return bars


def test_a_new_run_s_bar_goes_from_nothing_to_all(monkeypatch, capsys) -> None:
    bars = watched(monkeypatch)
    last = tiny_train(progress=True).curves.iloc[-1]
    [bar] = bars
    assert (bar.began_at, bar.n, bar.total) == (0, 12, 12)
    speed = 12 * RECIPE.batch_size / last["seconds"]
    assert f"{last['split']}={last['top1_error']:.1f}%" in bar.postfix
    assert f"images={speed:.0f}/s" in bar.postfix
    assert "12/12" in capsys.readouterr().err


def test_a_resumed_run_s_bar_begins_where_the_run_does(monkeypatch, tmp_path, capsys) -> None:
    left = iter([False] * 7 + [True])
    tiny_train(folder=tmp_path, stop=lambda: next(left))
    bars = watched(monkeypatch)
    tiny_train(folder=tmp_path, progress=True)
    [bar] = bars
    assert (bar.began_at, bar.initial, bar.n, bar.total) == (7, 7, 12, 12)
    assert sum(bar.moves) == 5
    assert re.search(r"58%\|.*7/12", capsys.readouterr().err)
