"""Plausible wrong answers to the exercises of chapter 8, with a part of the hint to each."""

import math

import torch

relu = torch.relu


def chain(x, fs):
    for f in fs:
        x = f(x)
    return x


def with_relu(x, fs):
    for f in fs:
        x = relu(x + f(x))
    return x


def only_residuals(x, fs):
    start = x
    for f in fs:
        x = x + f(x)
    return x - start


def backwards(x, fs):
    for f in reversed(fs):
        x = x + f(x)
    return x


WRONG = {
    "08-sum": [
        (lambda x, fs: x + sum(f(x) for f in fs), "not at x itself"),
        (only_residuals, "where is the x"),
        (chain, "plain layers"),
        (with_relu, "no ReLU either"),
        (backwards, "in order"),
        (lambda x, fs: 3, "must return a tensor"),
    ],
    "08-unit": [
        (lambda x, b1, c1, b2, c2: relu(b2(c2(relu(b1(c1(x))))) + x), "the first paper's order"),
        (lambda x, b1, c1, b2, c2: c2(relu(b2(c1(relu(b1(x)))))), "added at the end"),
        (lambda x, b1, c1, b2, c2: relu(x + c2(relu(b2(c1(relu(b1(x))))))), "Nothing follows"),
        (lambda x, b1, c1, b2, c2: x + c2(relu(b2(c1(x)))), "Before the first convolution"),
        (lambda x, b1, c1, b2, c2: relu(b1(x)) + c2(relu(b2(c1(relu(b1(x)))))), "as it came, not"),
        (lambda x, b1, c1, b2, c2: x + c2(b2(c1(b1(x)))), "followed by a ReLU"),
        (lambda x, b1, c1, b2, c2: x + c2(b2(relu(c1(b1(relu(x)))))), "BN comes before ReLU"),
    ],
    "08-norms": [
        ({"original": 18, "preactivation": 19}, "conv1 too"),
        ({"original": 20, "preactivation": 20}, "one for each convolution"),
        ({"original": 19, "preactivation": 20}, "been through BN and ReLU already"),
        ({"original": 19, "preactivation": 18}, "outside the units: look"),
        ({"original": 19, "preactivation": 9}, "then those outside"),
        (19, "dictionary"),
    ],
    "08-growth": [
        (1 / math.sqrt(2 * math.pi), "27 units"),
        (54 / math.sqrt(2 * math.pi), "one side"),
        (13.5, "is not 1"),
        (27 * math.sqrt(0.5), "root mean square"),
        (0, "can only grow"),
        (27, "mean of max"),
    ],
}
