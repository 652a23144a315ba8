"""Presets and config files: those that come along are sound, and what is wrong in a user's own is said."""

import pytest

from core.config import TrainConfig
from core.errors import InvalidValue
from core.models.network import summarize_config
from experiments.presets.loader import load_config_file, load_preset, preset_names
from experiments.toml_files import MAX_BYTES


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_within_both_budgets_and_has_the_parameters_it_reports(name):
    preset = load_preset(name)
    summary = summarize_config(preset.config)
    assert summary is not None
    assert summary.total_params < 20_000
    assert preset.config.epochs <= 20
    assert preset.reported.get("total_params", summary.total_params) == summary.total_params
    assert preset.description


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("best-20k", 20_000),
        ("best-10k", 10_000),
        ("tiny-8k", 8_000),
        ("tiny-5k", 5_000),
        ("tiny-2k", 2_000),
        ("tiny-1k", 1_000),
        ("tiny-700", 700),
    ],
)
def test_a_preset_with_a_limit_in_its_name_keeps_to_it(name, limit):
    assert summarize_config(load_preset(name).config).total_params < limit


def test_the_default_comes_first_and_is_the_config_of_no_flags_at_all():
    assert preset_names()[0] == "seed-conv9"
    assert load_preset("seed-conv9").config == TrainConfig()


def test_the_presets_of_the_exercise_have_its_recipe_and_results():
    nine, five = load_preset("seed-conv9"), load_preset("seed-conv5")
    recipe = {"batch_size": 256, "lr": 0.03772, "momentum": 0.9, "schedule": "constant", "augment": "none"}
    recipe |= {"epochs": 20, "seed": 0, "val_split": 0, "nesterov": False, "dropout": 0.0, "weight_decay": 0.0}
    for preset, arch in ((nine, "conv9"), (five, "conv5")):
        assert ({"arch": arch} | recipe).items() <= preset.config.model_dump().items()
    assert (nine.reported["total_params"], nine.reported["best_test_accuracy"]) == (19_458, 0.9948)
    assert nine.reported["best_test_loss"] == 0.0210
    assert (five.reported["total_params"], five.reported["best_test_accuracy"]) == (18_138, 0.9943)


def test_the_modern_preset_differs_from_the_exercise_where_others_do_better():
    wanted = {"schedule": "onecycle", "augment": "affine", "nesterov": True, "val_split": 0, "seed": 0}
    assert wanted.items() <= load_preset("modern").config.model_dump().items()


@pytest.mark.parametrize(
    ("name", "hint"), [("seed-conv8", "did you mean seed-conv"), ("quick", "lists them"), ("../presets/modern", "")]
)
def test_an_unknown_preset_is_refused_with_the_names_there_are(name, hint):
    with pytest.raises(InvalidValue) as caught:
        load_preset(name)
    assert caught.value.field == "preset"
    assert all(known in caught.value.message for known in preset_names())
    assert hint in caught.value.hint


@pytest.fixture
def config_file(tmp_path):
    def write(content: str | bytes, name: str = "mine.toml"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_file_says_only_what_differs_from_its_base(config_file):
    preset = load_config_file(config_file('base = "seed-conv5"\nlr = 0.05\ndescription = "hotter"\n'))
    assert (preset.name, preset.description) == ("mine", "hotter")
    assert preset.config == load_preset("seed-conv5").config.changed(lr=0.05)


def test_a_file_may_have_a_network_with_brackets_and_a_bar(config_file):
    spec = "c8b0r res(c8p1b0r c8p1l | c8k1l) p3s2p1 gap fc10"
    assert summarize_config(load_config_file(config_file(f'arch = "{spec}"\n')).config).spec == spec


def test_a_file_without_base_starts_from_the_defaults(config_file):
    assert load_config_file(config_file("seed = 3")).config == TrainConfig(seed=3)
    assert load_config_file(config_file("")).config == TrainConfig()


def test_a_file_may_begin_with_a_byte_order_mark(config_file):
    assert load_config_file(config_file("seed = 3".encode("utf-8-sig"))).config == TrainConfig(seed=3)


def test_a_file_may_have_the_name_of_the_preset_that_it_starts_from(config_file):
    path = config_file('base = "seed-conv9"\nseed = 1\n', name="seed-conv9.toml")
    assert load_config_file(path).config == TrainConfig(seed=1)


BAD_FILES = {
    "syntax": ("lr = = 3", "config", "not TOML", "lr = 0.03"),
    "a key twice": ("lr = 0.1\nlr = 0.2", "config", "not TOML", ""),
    "not UTF-8": (b"lr = 0.1 # \xff\xfe", "config", "not TOML", ""),
    "UTF-16": ("lr = 0.1".encode("utf-16"), "config", "is UTF-16", "UTF-8"),
    "UTF-16 without a mark": ("lr = 0.1".encode("utf-16-le"), "config", "is UTF-16", "UTF-8"),
    "UTF-16 the other way round": ("lr = 0.1".encode("utf-16-be"), "config", "is UTF-16", "UTF-8"),
    "binary": (bytes(range(256)), "config", "not TOML", ""),
    "nested a thousand deep": ("lr = " + "[" * 5000 + "]" * 5000, "config", "not TOML", ""),
    "unknown key": ("learning_rate = 0.1", "learning_rate", "there is no such field", "names of the options"),
    "near miss": ("batchsize = 64", "batchsize", "there is no such field", "did you mean batch_size?"),
    "a text for a number": ('lr = "0.1"', "lr", '"0.1": must be a number above 0 and at most 100', "Learning rate"),
    "a fraction for a count": ("epochs = 2.5", "epochs", "2.5: must be a whole number", ""),
    "a number for a switch": ("nesterov = 1", "nesterov", "must be true or false", ""),
    "a date": ("lr = 2026-01-02", "lr", "must be a number", ""),
    "a table": ("[lr]\nx = 1", "lr", "must be a number", ""),
    "not a number": ("lr = nan", "lr", "nan: must be a number", ""),
    "another choice": ('schedule = "linear"', "schedule", "one of constant, onecycle, cosine, step", ""),
    "unknown base": ('base = "seed-conv8"', "preset", "seed-conv8: must be one of seed-conv9", "did you mean"),
    "base is not a text": ("base = 3", "base", "must be the name of another preset", ""),
    "description is not a text": ("description = 3", "description", "must be a text", ""),
    "reported is not a table": ("reported = 3", "reported", "must be a table", ""),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_what_is_wrong_in_a_file_is_named_in_one_line(kind, config_file):
    content, field, reason, hint = BAD_FILES[kind]
    with pytest.raises(InvalidValue) as caught:
        load_config_file(config_file(content))
    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field} = ")
    assert reason in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


def test_a_file_of_more_than_64_kibibytes_is_not_parsed(config_file):
    with pytest.raises(InvalidValue, match="larger than 65,536 bytes"):
        load_config_file(config_file(b"#" * (MAX_BYTES + 1)))
    assert load_config_file(config_file(b"#" * MAX_BYTES)).config == TrainConfig()


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path):
    for path, reason in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InvalidValue, match=reason) as caught:
            load_config_file(path)
        assert str(path) in caught.value.message


def test_lists_may_be_lists_of_toml(config_file):
    config = load_config_file(config_file('augment = ["affine", "erase"]\nmilestones = [8, 4]\n')).config
    assert (config.augment, config.milestones) == ("affine,erase", "4,8")
    with pytest.raises(InvalidValue, match="augment = "):
        load_config_file(config_file('augment = ["blur"]'))
    with pytest.raises(InvalidValue, match="milestones = "):
        load_config_file(config_file("milestones = [1.5]"))
