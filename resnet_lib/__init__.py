"""ResNet, read and run: plain and residual nets, trained, counted and measured.

from resnet_lib import TrainConfig, build_model, load, train
recipe = TrainConfig(iterations=400, milestones=(200, 300))
record = train(build_model("resnet20"), load("cifar10"), recipe)
record.curves
"""

from resnet_lib.archive import archived
from resnet_lib.checkpoints import load_net
from resnet_lib.complexity import complexity
from resnet_lib.configs import ConfigError, ModelConfig, TrainConfig
from resnet_lib.constructions import deepen
from resnet_lib.data import load
from resnet_lib.devices import find_device
from resnet_lib.downloads import DataError
from resnet_lib.experiments import EXPERIMENTS, TIERS, images_in, reproduce
from resnet_lib.models import MODELS, build_model
from resnet_lib.photos import load_photos
from resnet_lib.recipes import compare_recipes, describe_recipe
from resnet_lib.runs import RecordError, RunRecord, load_records, load_runs
from resnet_lib.testing import measure_errors
from resnet_lib.training import train

__all__ = [
    "EXPERIMENTS",
    "MODELS",
    "TIERS",
    "ConfigError",
    "DataError",
    "ModelConfig",
    "RecordError",
    "RunRecord",
    "TrainConfig",
    "archived",
    "build_model",
    "compare_recipes",
    "complexity",
    "deepen",
    "describe_recipe",
    "find_device",
    "images_in",
    "load",
    "load_net",
    "load_photos",
    "load_records",
    "load_runs",
    "measure_errors",
    "reproduce",
    "train",
]
