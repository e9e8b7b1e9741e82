"""Plausible wrong answers to the exercises of chapter 2, with a part of the hint to each."""

import math

import torch
from torch.nn.functional import relu


def per_channel(beta):
    return beta[:, None, None]


def corner(weight):
    copy = torch.zeros_like(weight)
    copy[range(len(weight)), range(len(weight)), 0, 0] = 1
    return weight + copy


def middle(weight):
    copy = torch.zeros_like(weight)
    copy[:, :, 1, 1] = 1
    return weight + copy


WRONG = {
    "02-shift": [
        (lambda x, beta: x, "not the identity yet"),
        (lambda x, beta: x + per_channel(beta), "negative"),
        (lambda x, beta: relu(x + beta), "along the columns"),
        (lambda x, beta: relu(per_channel(beta)).expand_as(x), "where is the shortcut"),
        (lambda x, beta: x + relu(per_channel(beta)), "after the addition"),
    ],
    "02-fold": [
        (lambda weight: weight, "without its input"),
        (lambda weight: weight + 1, "Every number"),
        (middle, "it must get its own only"),
        (corner, "shifted"),
        (lambda weight: torch.eye(3), "(3, 3, 3, 3)"),
    ],
    "02-block": [
        (lambda x, c1, b1, c2, b2: relu(b2(c2(relu(b1(c1(x)))))), "plain block"),
        (lambda x, c1, b1, c2, b2: b2(c2(relu(b1(c1(x))))) + x, "ReLU at the end"),
        (lambda x, c1, b1, c2, b2: relu(b2(c2(relu(b1(c1(x)))))) + x, "before the addition"),
        (lambda x, c1, b1, c2, b2: relu(b2(c2(b1(c1(x)))) + x), "one ReLU too few"),
        (lambda x, c1, b1, c2, b2: relu(c2(relu(b1(c1(x)))) + x), "second BN is missing"),
    ],
    "02-gate": [
        (4.346, "The sign"),
        (0, "one block"),
        (math.log(0.5 / 54), "not split evenly"),
        (-1, "to the power of 54"),
    ],
}
