"""Plausible wrong answers to the exercises of chapter 7, with a part of the hint to each."""

import torch
import torch.nn.functional as F


def five(image, size):
    """The four corners and the centre, as a list."""
    down, right = image.shape[1] - size, image.shape[2] - size
    places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return [image[:, y : y + size, x : x + size] for y, x in places]


def both(crops, *dims):
    return torch.stack([*crops, *(crop.flip(*dims) for crop in crops)])


def random_crops(image, size):
    rows = torch.randint(1, image.shape[1] - size, (10,)).tolist()
    return torch.stack([image[:, y : y + size, :size] for y in rows])


def off_centre(image, size):
    return both([*five(image, size)[:4], image[:, 1 : 1 + size, 1 : 1 + size]], -1)


def squeezed(image, size):
    crop = F.interpolate(image[None].float(), (size, size))[0]
    return both([crop] * 5, -1)


def twice(crops):
    return torch.stack([*crops, *crops])


def stacked(views):
    return torch.stack(views)


WRONG = {
    "07-ten": [
        (lambda image, size: torch.stack(five(image, size)), "in a mirror"),
        (lambda image, size: both(five(image, size), -1)[:9], "has a mirror image"),
        (lambda image, size: both(five(image, size), -2), "top and bottom"),
        (lambda image, size: twice(five(image, size)), "has a mirror image"),
        (lambda image, size: five(image, size), "torch.stack"),
        (random_crops, "in the corners"),
        (off_centre, "in the centre"),
        (squeezed, "in the corners"),
        (lambda image, size: twice(both(five(image, size), -1)), "comes once"),
        (lambda image, size: image, "four dimensions"),
        (lambda image, size: image[None], "rows and columns"),
    ],
    "07-average": [
        (lambda views: stacked(views).mean(0).argmax().item(), "after the softmax"),
        (lambda views: stacked(views).argmax(1).mode().values.item(), "a vote"),
        (lambda views: stacked(views).softmax(1).amax(0).argmax().item(), "surest"),
        (lambda views: views[0].argmax().item(), "first view only"),
        (lambda views: stacked(views).sigmoid().mean(0).argmax().item(), "one class at a time"),
        (lambda views: stacked(views).softmax(1).mean(0), "which class"),
        (lambda views: 2, "the mean of these"),
    ],
    "07-dense": [
        (lambda f, w, b: F.linear(f.mean((2, 3)), w, b), "the whole image"),
        (lambda f, w, b: F.conv2d(f, w[:, :, None, None]), "has a bias"),
        (lambda f, w, b: F.conv2d(f, w[:, :, None, None], b).softmax(1), "before the softmax"),
        (lambda f, w, b: F.conv2d(f, w[:, :, None, None], b) / f[0, 0].numel(), "divided"),
        (lambda f, w, b: F.linear(f.movedim(1, -1), w, b), "come second"),
        (lambda f, w, b: f * w[0, :, None, None], "One map for each class"),
        (lambda f, w, b: F.conv2d(F.relu(f - 0.5), w[:, :, None, None], b), "At each position"),
    ],
    "07-noise": [
        (lambda e, n: (e / 100 * (1 - e / 100) / n) ** 0.5, "in percent"),
        (lambda e, n: 100 * e / 100 * (1 - e / 100) / n, "a variance"),
        (lambda e, n: 100 * (e / 100 * (1 - e / 100)) ** 0.5, "single image"),
        (lambda e, n: 100 * (e / 100 * (1 - e / 100)) ** 0.5 / n, "half as much"),
        (lambda e, n: 100 * (e / 100 / n) ** 0.5, "share of hits"),
        (lambda e, n: (e * (1 - e) / n) ** 0.5, "between 0 and 1"),
        (lambda e, n: e / n**0.5, "a hit or a miss"),
        (0.25, "Answer with a function"),
    ],
}
