"""The explorers' data, and the page's arithmetic against the library's."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from helpers import ROOT, cost_of

from resnet_lib import MODELS, widgets

NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="Node is not installed: the page's code runs in it.")
def test_the_page_counts_as_the_library_does() -> None:
    """Every named net, and each shortcut option and stride of some: stage by stage."""
    from dataclasses import asdict, replace

    nets = dict(MODELS)
    for name in ("resnet20", "resnet164", "preresnet110", "resnet34", "resnet50"):
        for option in "ABC":
            for stride in ("1x1", "3x3"):
                net = replace(MODELS[name], shortcut=option, stride_in=stride)
                nets[f"{name} {option} {stride}"] = net
    script = """
        const { complexity } = await import(process.argv[1]);
        const nets = JSON.parse(require("fs").readFileSync(0, "utf8"));
        for (const name in nets) {
            const found = complexity(nets[name]);
            found.stages.forEach((stage) => delete stage.detail);
            nets[name] = found;
        }
        process.stdout.write(JSON.stringify(nets));
    """
    told = subprocess.run(
        [NODE, "-e", f"(async () => {{{script}}})()", widgets.BUNDLE.as_uri()],
        input=json.dumps({name: net.to_dict() for name, net in nets.items()}),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found = json.loads(told.stdout)
    for name, net in nets.items():
        expected = json.loads(json.dumps(asdict(cost_of(net))))
        assert found[name] == expected, name
