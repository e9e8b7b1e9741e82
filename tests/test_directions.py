"""What the chapters say in words of the archive's numbers: which is larger, and how certain.

The numbers themselves come from the records when the book is built; words do not. Where a record
that is added makes such a sentence false, its test fails: then the sentence must change.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resnet_lib.archive import survey

BOOK = Path(__file__).resolve().parents[1] / "book"
ARCHIVE = survey()
FOUR = ("plain20", "plain56", "resnet20", "resnet56")


def values(arm: str, measure: str, tier: str = "paper") -> pd.Series:
    found = ARCHIVE.values(arm, tier, measure)
    return pd.Series(max(found.values(), key=len))


def difference(one: str, other: str, measure: str, tier: str = "paper") -> pd.Series:
    """Within each seed that both have."""
    return (values(one, measure, tier) - values(other, measure, tier)).dropna()


def decades(arm: str, tier: str = "paper") -> pd.Series:
    """The ratio of the gradient's norms, first layer to last, through training: powers of ten.

    Of seed 0.
    """
    record = next(iter(ARCHIVE.runs(arm, tier).values()))[0]
    rows = record.probe.sort_values("layer").groupby("iteration")["activation_gradient"]
    return np.log10(rows.first() / rows.last())


def falls_then_grows(arm: str) -> bool:
    ratios = decades(arm)
    lowest = ratios.argmin()
    return 0 < lowest < len(ratios) - 1 and ratios.iloc[-1] > ratios.iloc[lowest]


SENTENCES = {
    "01-degradation": {
        "by the last step plain-56 is nearest to 1 of all, and trains worst": lambda: (
            min(FOUR, key=lambda arm: abs(decades(arm, "short").iloc[-1])) == "plain56"
            and max(FOUR, key=lambda arm: values(arm, "training error", "short").min()) == "plain56"
        ),
        "the ratio falls at first and then grows in all four nets": lambda: all(
            map(falls_then_grows, FOUR)
        ),
        "So plain-20 is not healthy by it and trains well": lambda: (
            values("plain20", "gradient decades").mean() > 1
            and values("plain20", "training error").max() < 2
        ),
        "this measure does not tell the nets that degrade from the others": lambda: (
            values("plain20", "gradient decades").mean()
            > values("plain56", "gradient decades").mean()
        ),
        "Degradation is the gap that remains when training is over.": lambda: (
            difference("plain56", "plain20", "training error").min() > 0
        ),
    },
    "02-residual-learning": {
        "and we do see a difference": lambda: all(
            abs(gap.mean()) > gap.std()
            for gap in (
                difference(f"resnet{n}-single-layer", f"plain{n}", "training error", "short")
                for n in (20, 56)
            )
        ),
    },
    "03-plain-and-residual": {
        "without shortcuts the deeper net is the worse one, with them it is the better": lambda: (
            difference("plain56", "plain20", "training error").min() > 0
            and difference("resnet56", "resnet20", "training error").max() < 0
        ),
        "On the test images ResNet-56 should win, too, and does not": lambda: (
            difference("resnet56", "resnet20", "test error").min() > 0
        ),
        "Nor do the twins of 20 layers tie": lambda: (
            difference("plain20", "resnet20", "test error").min() > 0.5
        ),
        "One seed decides neither": lambda: len(values("resnet56", "test error")) == 1,
        "in the others for seed 0 alone": lambda: (
            list(values("resnet20", "test error").index)
            == list(values("resnet56", "test error").index)
            == [0]
        ),
        "the paper's order, all three times": lambda: all(
            difference(one, other, "layer response").max() < 0
            for one, other in (
                ("resnet20", "plain20"),
                ("resnet56", "plain56"),
                ("resnet56", "resnet20"),
            )
        ),
        "In test error our one ResNet-56 does not beat our ResNet-20.": lambda: (
            difference("resnet56", "resnet20", "test error").min() > 0
        ),
    },
}


@pytest.mark.parametrize(
    ("page", "sentence"),
    [(page, each) for page, sentences in SENTENCES.items() for each in sentences],
)
def test_the_records_say_what_the_sentence_says(page: str, sentence: str) -> None:
    text = " ".join((BOOK / f"{page}.md").read_text().split())
    assert sentence in text, "the sentence is gone: its test should go, too"
    assert SENTENCES[page][sentence](), f"{page}: no longer true: {sentence}"
