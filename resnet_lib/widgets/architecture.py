"""Where do a net's layers, parameters and multiply-adds sit? Every net, counted in the page.

The page counts by itself, for nets that nobody has named; a test holds it to
`resnet_lib.complexity`. From here come the named nets, of which it takes the ImageNet depths, VGG
to stand beside them, and what the paper prints.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from matplotlib.figure import Figure

from resnet_lib.complexity import complexity
from resnet_lib.configs import ConfigError, ModelConfig
from resnet_lib.explore import show
from resnet_lib.figures import colour, panels
from resnet_lib.models import MODELS, model_config
from resnet_lib.outputs import printed_name
from resnet_lib.paper import published

PRINTED = {
    **{f"resnet{depth}": f"P1/Table 1/ResNet-{depth}" for depth in (18, 34, 50, 101, 152)},
    "vgg16": "P1/section 4.1/VGG-16",
    "vgg19": "P1/section 3.3/VGG-19",
}
IMAGENET = [
    name
    for name, config in MODELS.items()
    if config.family == "imagenet" and config.kind == "residual"
]


def explore(model: Any = "resnet50", **changes: Any) -> Any:
    """Where do a net's layers, parameters and multiply-adds sit?

    model, changes: a name or a `ModelConfig`, with fields changed, as for `build_model`.
    """
    return show("architecture", data(), **state(model_config(model, **changes)))


def data() -> dict[str, Any]:
    """The configurations of all named nets, VGG-16 and VGG-19 counted by stage, printed costs."""
    return {
        "models": {name: sent(config) for name, config in MODELS.items()},
        "vgg": {name: counted(name) for name in ("vgg16", "vgg19")},
        # In 1e9, as printed.
        "published": {
            name: round(published(f"{id}/multiply-adds").value / 1e9, 1)
            for name, id in PRINTED.items()
        },
    }


def sent(config: ModelConfig) -> dict[str, Any]:
    """A configuration as the page takes it, plain JSON: with the blocks of each stage."""
    return {**config.to_dict(), "stage_blocks": list(config.stage_blocks)}


def state(config: ModelConfig) -> dict[str, Any]:
    """The controls' values that show a net. Errors: `ConfigError` for one the page cannot draw."""
    usual = dataclasses.replace(
        MODELS["resnet50" if config.family == "imagenet" else "resnet20"],
        **{name: getattr(config, name) for name in ("depth", "block", "stride_in", "shortcut")},
    )
    before = config.order == "preactivation"
    drawn = dataclasses.replace(usual, order="preactivation" if before else "original")
    if drawn != config or config.block not in ("basic", "bottleneck"):
        raise ConfigError(
            "the page draws nets of the papers' widths with BN, of two-layer blocks or "
            f"bottlenecks, plain, residual or pre-activation: {config.name} has something else."
        )
    kind = "preactivation" if before else config.kind
    return {
        "shown": True,
        "family": config.family,
        "depth": config.depth,
        "block": config.block,
        "kind": kind,
        "option": "A" if kind == "plain" else config.shortcut,
        "stride": config.stride_in,
    }


def counted(name: str) -> dict[str, Any]:
    """What a net costs, as plain JSON."""
    cost = complexity(name)
    stages = [dataclasses.asdict(stage) for stage in cost.stages]
    return {**dataclasses.asdict(cost), "stages": stages}


def costs(data: dict[str, Any]) -> dict[str, int]:
    """Multiply-adds of the ImageNet nets and of VGG."""
    found = {name: complexity(name).multiply_adds for name in IMAGENET}
    return found | {name: each["multiply_adds"] for name, each in data["vgg"].items()}


def figures(data: dict[str, Any]) -> list[Figure]:
    """One panel: multiply-adds of the ImageNet nets, VGG beside them."""
    figures, (ax,) = panels()
    found = costs(data)
    shades = [colour("residual") if name in IMAGENET else colour("plain") for name in found]
    names = [printed_name(name) for name in found]
    ax.barh(names, [each / 1e9 for each in found.values()], color=shades)
    ax.invert_yaxis()
    ax.set_xlabel("multiply-adds for one image, in 1e9")
    return figures


def sentence(data: dict[str, Any]) -> str:
    """The costs in words."""
    told = ", ".join(f"{printed_name(name)} {each / 1e9:.2f}" for name, each in costs(data).items())
    return f"Multiply-adds for one image, in 1e9: {told}."
