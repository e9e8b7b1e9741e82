"""Plausible wrong answers to the exercises of chapter 1, with a part of the hint to each."""

import torch

middle = torch.zeros(4, 4, 3, 3)
middle[:, :, 1, 1] = 1
corner = torch.zeros(4, 4, 3, 3)
corner[range(4), range(4), 0, 0] = 1
doubled = 2 * torch.nn.init.dirac_(torch.empty(4, 4, 3, 3))

WRONG = {
    "01-name": [
        ({"a": "overfitting", "b": "overfitting", "c": "neither"}, "look at the training error"),
        ({"a": "degradation", "b": "degradation", "c": "neither"}, "Degradation is about those"),
        ({"a": "degradation", "b": "overfitting", "c": "overfitting"}, "Case c"),
        ("degradation", "dictionary"),
    ],
    "01-factor": [
        (10 / 54, "multiplied, not added"),
        (10 ** (-1 / 54), "shrinks"),
        (10 ** (1 / 55), "fewer steps"),
        (10, "to the power"),
        (1.05, "count the steps"),
    ],
    "01-kernel": [
        (middle, "adds up all input channels"),
        (corner, "shifted"),
        (torch.eye(4), "(4, 4, 3, 3)"),
        (middle.numpy(), "not a ndarray"),
        (doubled, "2 times as large"),
        (torch.ones(4, 4, 3, 3), "single bright pixel"),
    ],
    "01-undo": [
        (lambda bn: (bn.running_var.sqrt(), bn.running_mean), "one more number"),
        (lambda bn: (bn.running_var, bn.running_mean), "is a variance"),
        (lambda bn: (1 / (bn.running_var + bn.eps).sqrt(), -bn.running_mean), "has divided"),
        (lambda bn: ((bn.running_var + bn.eps).sqrt(), -bn.running_mean), "give back"),
        (lambda bn: bn.running_mean, "two tensors"),
    ],
}
