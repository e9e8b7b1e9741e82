"""Plausible wrong answers to the exercises of chapter 4, with a part of the hint to each."""

import torch
import torch.nn.functional as F

eye = torch.zeros(32, 16, 1, 1)
eye[range(16), range(16)] = 1
last = eye.roll(16, 0)
twice = eye + last


def padded(x, channels, before=0, pool=None):
    small = x[:, :, ::2, ::2] if pool is None else pool(x, 2, ceil_mode=True)
    extra = channels - x.shape[1]
    return F.pad(small, (0, 0, 0, 0, before * extra, (1 - before) * extra))


WRONG = {
    "04-count": [
        ({"A": 0, "B": 3, "C": 16}, "Is there another"),
        ({"A": 3, "B": 4, "C": 16}, "no parameters"),
        ({"A": 0, "B": 4, "C": 48}, "a whole block"),
        ({"A": 0, "B": 4, "C": 13}, "every block projects"),
        ({"A": 0, "B": 13, "C": 16}, "go through them"),
        (4, "dictionary"),
    ],
    "04-cost": [
        (2560, "What comes after"),
        (9 * 2560, "1x1 convolution"),
        (2560 + 96, "two parameters"),
        (272_474, "how many more"),
        (14_240, "That is what C adds"),
        (2048, "Add kernels and BN"),
    ],
    "04-pad": [
        (lambda x, channels: padded(x, channels, before=1), "come last"),
        (lambda x, channels: padded(x, channels, pool=F.avg_pool2d), "does not average"),
        (lambda x, channels: padded(x, channels, pool=F.max_pool2d), "largest of four"),
        (lambda x, channels: x[:, :, ::2, ::2], "the output has"),
        (lambda x, channels: F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1])), "pixels becomes"),
        (lambda x, channels: x.repeat(1, 2, 1, 1)[:, :channels, ::2, ::2], "are zero"),
        (lambda x, channels: padded(x.flip(2, 3), channels), "in rows and columns"),
    ],
    "04-copy": [
        (twice, "new ones are zero"),
        (last, "have come last"),
        (torch.ones(32, 16, 1, 1), "its own only"),
        (eye.transpose(0, 1), "output's channels first"),
        (torch.eye(16), "(32, 16, 1, 1)"),
        (torch.zeros(32, 16, 1, 1), "zeros everywhere"),
        (eye / 2, "Output channel c"),
    ],
    "04-scale": [
        (27, "not added"),
        (2.0**54, "shrinks"),
        (0.5**108, "count units"),
        (0.5**53, "count the factors"),
        (0, "not zero"),
        (0.5, "after 54 of them"),
    ],
}
