"""Plausible wrong answers to the exercises of chapter 6, with a part of the hint to each."""


def old_step(w, v, g, lr, m, d):
    return w - lr * v, m * v + g + d * w


def from_v(pull):
    def step(w, v, g, lr, m, d):
        v = pull(w, v, g, m, d)
        return w - lr * v, v

    return step


def uphill(w, v, g, lr, m, d):
    v = m * v + g + d * w
    return w + lr * v, v


def rate_inside(w, v, gradient, lr, momentum, decay):
    new = momentum * v + lr * (gradient + decay * w)
    return w - new, new


def without_rate(w, v, g, lr, m, d):
    v = m * v + g + d * w
    return w - v, v


def never_back(errors):
    return [0.01] * len(errors)


def window_by_window(errors):
    return [0.1 if error < 80 else 0.01 for error in errors]


def late(errors):
    return [0.1 if min([100, *errors[:i]]) < 80 else 0.01 for i in range(len(errors))]


def turned(errors):
    return [0.01 if min(errors[: i + 1]) < 80 else 0.1 for i in range(len(errors))]


def at_eighty(errors):
    return [0.1 if min(errors[: i + 1]) <= 80 else 0.01 for i in range(len(errors))]


def second_at_the_earliest(errors):
    return [0.01, *([0.1 if min(errors[: i + 1]) < 80 else 0.01 for i in range(len(errors))][1:])]


WRONG = {
    "06-step": [
        (from_v(lambda w, v, g, m, d: m * v + g), "Where is the weight decay"),
        (from_v(lambda w, v, g, m, d: g + d * w), "that momentum keeps"),
        (from_v(lambda w, v, g, m, d: v + g + d * w), "not all of it"),
        (from_v(lambda w, v, g, m, d: m * v + (1 - m) * (g + d * w)), "no average"),
        (from_v(lambda w, v, g, m, d: m * v + g - d * w), "towards zero"),
        (from_v(lambda w, v, g, m, d: m * v + g + d), "in proportion"),
        (old_step, "not by the old one"),
        (uphill, "downhill"),
        (rate_inside, "inside v"),
        (without_rate, "up to lr"),
        (lambda *values: 1.0, "two numbers"),
        (lambda w, v, g, lr, m, d: (w - lr * g, v), "First v"),
    ],
    "06-views": [
        (81, "mirrored"),
        (18, "down as well"),
        (128, "how many places"),
        (50, "on each side"),
        (3200, "32 must follow"),
        (7, "times mirrored"),
    ],
    "06-epochs": [
        (500, "divides by the batch"),
        (163, "part of an epoch"),
        (136.5, "for testing"),
        (182, "choose the schedule"),
        (64, "How many images"),
    ],
    "06-warmup": [
        (never_back, "never returns"),
        (window_by_window, "all the same"),
        (late, "below 80% already"),
        (turned, "other way round"),
        (at_eighty, "not below 80"),
        (lambda errors: [0.1] * len(errors), "starts at 0.01"),
        (second_at_the_earliest, "the very first window"),
        (lambda errors: 0.1, "as many learning rates"),
    ],
}
