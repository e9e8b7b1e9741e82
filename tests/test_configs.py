"""Configurations: valid values, errors that help, and a dictionary form that loses nothing."""

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from helpers import tiny_data, tiny_net
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet_lib import MODELS, ConfigError, ModelConfig, TrainConfig, build_model, measure_errors
from resnet_lib.configs import BLOCKS, INITS, PRECISIONS, SHORTCUTS
from resnet_lib.models import model_config

VALID_DEPTHS = [6 * n + 2 for n in range(1, 201)]

MODEL_CONFIGS = st.builds(
    ModelConfig,
    depth=st.sampled_from(VALID_DEPTHS),
    shortcut=st.sampled_from(SHORTCUTS),
    width=st.integers(1, 64),
    in_channels=st.integers(1, 4),
    classes=st.integers(1, 1000),
    stem_stride=st.integers(1, 2),
    batch_norm=st.booleans(),
    init=st.sampled_from(INITS),
)
TRAIN_CONFIGS = st.builds(
    TrainConfig,
    iterations=st.integers(1, 10**6),
    lr=st.floats(0, 10),
    milestones=st.lists(st.integers(1, 10**6), unique=True).map(lambda m: tuple(sorted(m))),
    weight_decay=st.floats(0, 1),
    warmup_lr=st.none() | st.floats(0, 1),
    flip=st.booleans(),
    precision=st.sampled_from(PRECISIONS),
    seed=st.integers(0, 10**6),
)


def test_the_paper_s_recipe_is_the_default():
    """Paper, section 4.2."""
    config = TrainConfig()
    assert (config.iterations, config.milestones) == (64_000, (32_000, 48_000))
    assert (config.batch_size, config.lr, config.momentum) == (128, 0.1, 0.9)
    assert (config.weight_decay, config.pad, config.flip) == (1e-4, 4, True)
    assert (config.warmup_lr, config.warmup_error) == (None, 80.0)
    model = ModelConfig(20)
    assert (model.shortcut, model.width, model.batch_norm, model.init) == ("A", 16, True, "he")
    assert (model.in_channels, model.classes, model.stem_stride) == (3, 10, 1)


def test_every_depth_of_the_form_is_valid():
    for depth in VALID_DEPTHS:
        assert 6 * ModelConfig(depth).stage_blocks[0] + 2 == depth


@given(st.integers(9, 1201).filter(lambda depth: depth % 6 != 2))
@settings(deadline=None)
def test_a_wrong_depth_lists_its_valid_neighbours(depth):
    with pytest.raises(ConfigError) as error:
        ModelConfig(depth)
    below = max(each for each in VALID_DEPTHS if each < depth)
    above = min(each for each in VALID_DEPTHS if each > depth)
    assert f"{below} and {above}" in str(error.value)


def test_depth_21_lies_between_20_and_26():
    with pytest.raises(ConfigError, match=r"depth 21 .* 20 and 26"):
        ModelConfig(21)


@pytest.mark.parametrize("depth", [2, 7, 1203, 1208])
def test_a_depth_out_of_range_names_the_range(depth):
    with pytest.raises(ConfigError, match="8 to 1202"):
        ModelConfig(depth)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_depth_that_an_error_recommends_is_valid(block):
    for depth in (*range(3, 30), *range(1185, 1212)):
        try:
            ModelConfig(depth, block=block)
        except ConfigError as error:
            for each in re.findall(r" (\d+)\b", str(error).partition(":")[2]):
                ModelConfig(int(each), block=block)


@pytest.mark.parametrize("depth", [20.0, "20", None, True, 0, -4])
def test_a_depth_is_a_whole_number(depth):
    with pytest.raises(ConfigError, match="whole number"):
        ModelConfig(depth)


@pytest.mark.parametrize(
    ("field", "value", "listed"),
    [
        ("shortcut", "D", SHORTCUTS),
        ("shortcut", "a", SHORTCUTS),
        ("shortcut", None, SHORTCUTS),
        ("init", "kaiming", INITS),
        ("batch_norm", "yes", (True, False)),
    ],
)
def test_a_wrong_option_lists_all_options(field, value, listed):
    with pytest.raises(ConfigError) as error:
        ModelConfig(20, **{field: value})
    for each in listed:
        assert repr(each) in str(error.value)


@pytest.mark.parametrize("field", ["width", "in_channels", "classes", "stem_stride"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "4", True])
def test_sizes_are_whole_and_positive(field, value):
    with pytest.raises(ConfigError, match=field):
        ModelConfig(20, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shortcut_scale", "abc"),
        ("residual_scale", float("inf")),
        ("gate_bias", None),
        ("shortcut_dropout", 1.5),
        ("shortcut_dropout", -0.5),
        ("dropout", 1.5),
        ("dropout", "half"),
    ],
)
def test_a_number_of_a_variant_is_one(field, value):
    with pytest.raises(ConfigError, match=field):
        ModelConfig(20, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("iterations", 0),
        ("iterations", 1.5),
        ("batch_size", 0),
        ("window", 0),
        ("eval_every", 0),
        ("lr", -0.1),
        ("lr", float("nan")),
        ("lr", "0.1"),
        ("momentum", -1),
        ("weight_decay", -1e-4),
        ("warmup_lr", -0.01),
        ("warmup_error", -1),
        ("pad", -1),
        ("seed", -1),
        ("seed", 0.5),
        ("precision", "float16"),
        ("milestones", [1, 2]),
        ("milestones", (2, 1)),
        ("milestones", (1, 1)),
        ("milestones", (0,)),
        ("milestones", 5),
    ],
)
def test_a_wrong_value_of_a_recipe_is_named(field, value):
    with pytest.raises(ConfigError, match=field.removesuffix("s")):
        TrainConfig(**{field: value})


@pytest.mark.parametrize("field", ["flip", "decay_all", "deterministic"])
def test_a_switch_is_on_or_off(field):
    """A text such as "no" would otherwise count as on."""
    with pytest.raises(ConfigError, match=field):
        TrainConfig(**{field: "no"})


def test_an_unknown_model_lists_the_nearest():
    with pytest.raises(ConfigError, match=r"resnet57.*resnet56") as error:
        build_model("resnet57")
    assert str(len(MODELS)) in str(error.value)
    with pytest.raises(ConfigError, match=r"no model 'zzz'"):
        build_model("zzz")


def test_names_that_are_listed_exist():
    with pytest.raises(ConfigError) as error:
        build_model("resnet21")
    listed = str(error.value).partition("nearest are ")[2].partition(" (")[0].split(", ")
    assert "resnet20" in listed
    assert set(listed) <= set(MODELS)


def test_a_wrong_field_lists_the_nearest():
    with pytest.raises(ConfigError, match=r"'shortcuts'.*shortcut"):
        build_model("resnet20", shortcuts="B")
    with pytest.raises(ConfigError, match=r"'learning_rate'"):
        TrainConfig.from_dict({"learning_rate": 0.1})
    with pytest.raises(ConfigError, match=r"'weight_dcay'.*weight_decay"):
        TrainConfig.from_dict({"weight_dcay": 0.1})


@pytest.mark.parametrize("option", ["A", "B", "C"])
def test_a_plain_net_takes_no_shortcut(option):
    with pytest.raises(ConfigError, match=r"plain20.*resnet20"):
        build_model("plain20", shortcut=option)


def test_a_plain_net_may_be_told_that_it_is_plain():
    assert model_config("plain20", shortcut="none") == MODELS["plain20"]


@pytest.mark.parametrize("model", [20, None, {"depth": 20}])
def test_a_model_is_a_name_or_a_configuration(model):
    with pytest.raises(ConfigError, match="ModelConfig"):
        build_model(model)


@given(MODEL_CONFIGS)
@settings(deadline=None)
def test_model_configurations_survive_json(config):
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    changes = config.changes()
    assert ModelConfig.from_dict(json.loads(json.dumps(changes))) == config
    assert set(changes) >= {"depth"}


@given(TRAIN_CONFIGS)
@settings(deadline=None)
def test_train_configurations_survive_json(config):
    back = TrainConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert back == config
    assert isinstance(back.milestones, tuple)
    changes = config.changes()
    assert TrainConfig.from_dict(json.loads(json.dumps(changes))) == config
    for name in changes:
        assert getattr(config, name) != getattr(TrainConfig(), name)


@pytest.mark.parametrize("values", [{}, {"depth": "x"}, {"depth": 21}, None, [], "resnet20"])
def test_a_damaged_dictionary_is_a_configuration_error(values):
    with pytest.raises(ConfigError):
        ModelConfig.from_dict(values)


@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig])
def test_configurations_cannot_be_changed_in_place(kind):
    config = kind(20) if kind is ModelConfig else kind()
    name = dataclasses.fields(kind)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, 26)
    assert hash(config) == hash(dataclasses.replace(config))


@pytest.mark.parametrize("name", list(MODELS))
def test_names_are_the_usual_ones(name):
    config = MODELS[name]
    assert config.name == name
    assert config.kind == ("plain" if name.startswith("plain") else "residual")


def test_the_option_stands_in_the_name_unless_it_is_a():
    names = {option: ModelConfig(56, shortcut=option).name for option in SHORTCUTS}
    assert names == {"none": "plain56", "A": "resnet56", "B": "resnet56-B", "C": "resnet56-C"}


def test_what_is_handed_in_wrongly_is_one_sentence() -> None:
    """A name for a net, a name for data, a number for a recipe: told, not traced back."""
    from resnet_lib import complexity, deepen, load, reproduce, train
    from resnet_lib.analysis import SignalProbe

    net, data = build_model("resnet8", seed=0, in_channels=1), load("embedded", 7)
    wrong = {
        "model is 'resnet20'": lambda: train("resnet20", data),
        "data is 'embedded'": lambda: train(net, "embedded"),
        "config is 400": lambda: train(net, data, 400),
        "'resnet20' is no net": lambda: measure_errors("resnet20", data),
        "Linear.* is no net": lambda: measure_errors(torch.nn.Linear(2, 2), data),
        "'embedded' are no images": lambda: measure_errors(net, "embedded"),
        "a name or a folder, not 5": lambda: load(5),
        "size is '14'": lambda: load("embedded", "14"),
        "size is 0": lambda: complexity("resnet20", 0),
        "jobs is '2'": lambda: reproduce("figure6-plain", "smoke", seeds=0, jobs="2"),
        "tier is 5": lambda: train(net, data, tier=5),
        "folder is 5": lambda: train(net, data, folder=5),
        "probe is 'signals'": lambda: train(net, data, probe="signals"),
        "stop is True": lambda: train(net, data, stop=True),
        "each iteration of probe_at is 'a'": lambda: train(net, data, probe_at="abc"),
        "checkpoint_seconds is 'a'": lambda: train(net, data, checkpoint_seconds="a"),
        "checkpoint_seconds is nan": lambda: train(net, data, checkpoint_seconds=float("nan")),
        "no experiment 5": lambda: reproduce(5, "smoke"),
        "no experiment 7": lambda: reproduce(["figure6", 7], "smoke"),
        "seed is 0.5": lambda: reproduce("figure6-plain", "smoke", seeds=0.5),
        "no tier None": lambda: reproduce("figure6-plain", None),
        r"no tier \['quick'\]": lambda: reproduce("figure6-plain", ["quick"]),
        "depth is '50'": lambda: ModelConfig.imagenet("50"),
        "depth is '14'": lambda: deepen(net, "14", data),
        "takes 3 channels": lambda: SignalProbe(data)(build_model("resnet8", seed=0)),
    }
    for told, act in wrong.items():
        with pytest.raises(ConfigError, match=told):
            act()


def test_values_out_of_an_array_are_values_that_json_can_write():
    """A whole run was trained and then not recorded over a flag of NumPy's."""
    recipe = TrainConfig(
        iterations=np.int64(60), flip=np.True_, lr=np.float64(0.1), milestones=(np.int32(30),)
    )
    assert recipe == TrainConfig(iterations=60, milestones=(30,))
    net = ModelConfig(np.int64(20), shortcut=np.str_("B"), zero_init=np.False_)
    assert net.name == "resnet20-B"
    for config in (recipe, net):
        assert json.loads(json.dumps(config.to_dict())) == config.to_dict()


def test_counts_out_of_an_array_are_counts():
    data, net = tiny_data(), tiny_net()
    plain = measure_errors(net, data, images=50, batch_size=20)
    assert measure_errors(net, data, images=np.int64(50), batch_size=np.int64(20)) == plain


@pytest.mark.parametrize("seed", [-1, 2**63, True, 0.5, "0", np.True_])
def test_a_seed_is_one_for_a_net_and_for_a_recipe(seed):
    for make in (lambda: build_model("resnet8", seed=seed), lambda: TrainConfig(seed=seed)):
        with pytest.raises(ConfigError, match="seed is"):
            make()
    assert build_model("resnet8", seed=np.int64(3)).seed == TrainConfig(seed=np.int64(3)).seed == 3


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: ModelConfig(20, shortcut_scale=0.5), "shortcut_scale.*'constant'"),
        (lambda: ModelConfig(20, junction="constant", gate_bias=-6.0), "gate_bias.*gate"),
        (lambda: ModelConfig(20, shortcut_dropout=0.1), "shortcut_dropout.*'dropout'"),
        (lambda: TrainConfig(warmup_error=60.0), "warmup_error.*warmup_lr"),
        (lambda: TrainConfig(flip=0), "flip 0 is unknown"),
        (lambda: TrainConfig(weight_decay=10**400), "decay is 10+: it must be a finite number of"),
        (
            lambda: ModelConfig(20, junction="constant", shortcut_scale=-(10**400)),
            r"finite number\.$",
        ),
    ],
)
def test_a_value_that_would_do_nothing_or_passes_for_another_is_refused(make, told):
    with pytest.raises(ConfigError, match=told):
        make()
