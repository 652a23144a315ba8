"""Wrong usage: one line that names the value and what is allowed, a hint, exit code 2 or 3, and nothing is done."""

import os
import random
import subprocess
import sys

import pytest

from core.models.spec import words


def refuse(field, value, allowed, *arguments):
    return pytest.param(arguments, (f"{field} = {value}", allowed), id=" ".join(arguments))


BAD_VALUES = [
    refuse("lr", "nan", "a number above 0 and at most 100", "--lr", "nan"),
    refuse("lr", "inf", "a number above 0 and at most 100", "--lr", "inf"),
    refuse("lr", "-1", "a number above 0", "--lr", "-1"),
    refuse("lr", "0", "a number above 0", "--lr", "0"),
    refuse("lr", "abc", "a number above 0", "--lr", "abc"),
    refuse("lr", "''", "a number above 0", "--lr", ""),
    refuse("lr", "1,5", "a number above 0", "--lr", "1,5"),
    refuse("batch_size", "0", "a whole number at least 1 and at most 60,000", "--batch-size", "0"),
    refuse("batch_size", "2.5", "a whole number", "--batch-size", "2.5"),
    refuse("batch_size", "9" * 117 + "...", "a whole number", "--batch-size", "9" * 5000),
    refuse("epochs", "0", "a whole number at least 1", "--epochs", "0"),
    refuse("momentum", "1", "at least 0 and below 1", "--momentum", "1"),
    refuse("weight_decay", "-0.1", "at least 0", "--weight-decay", "-0.1"),
    refuse("dropout", "1", "below 1", "--dropout", "1"),
    refuse("label_smoothing", "nan", "below 1", "--label-smoothing", "nan"),
    refuse("seed", "-1", "a whole number at least 0", "--seed", "-1"),
    refuse("seed", "'x\\n'", "a whole number", "--seed", "x\n"),
    refuse("val_split", "-1", "a whole number", "--val-split", "-1"),
    refuse("target", "101", "at most 100", "--target", "101"),
    refuse("limit_train", "0", "a whole number at least 1", "--limit-train", "0"),
    refuse("limit_test", "0", "a whole number at least 1", "--limit-test", "0"),
    refuse("dataset", "cifar", "one of auto, mnist, fashion, kmnist, mnist-5k", "--dataset", "cifar"),
    refuse("schedule", "linear", "one of constant, onecycle, cosine, step", "--schedule", "linear"),
    refuse("augment", "flip", "none, or some of shift, affine", "--augment", "flip"),
    refuse("precision", "fp16", "one of fp32, tf32, bf16", "--precision", "fp16"),
    refuse("engine", "fast", "one of auto, eager, native, compile, graph", "--engine", "fast"),
    refuse("device", "tpu", "auto, cpu, cuda, cuda:N or mps", "--device", "tpu"),
    refuse("max_params", "0", "a whole number at least 1", "--max-params", "0"),
    refuse("preset", "seed-conv8", "seed-conv9", "--preset", "seed-conv8"),
    refuse("config", "none.toml", "cannot be read", "--config", "none.toml"),
    refuse("config", "x.toml", "--preset", "--config", "x.toml", "--preset", "modern"),
    refuse("tag", "''", "must not be empty", "--tag", ""),
    refuse("tag", "' '", "must not be empty", "--tag", " "),
    refuse("name", "' '", "must not be empty", "--name", " "),
    refuse("seeds", "3-1", "first-last, such as 0-9", "--seeds", "3-1"),
    refuse("seeds", "0,,1", "or a list, such as 0-2,5", "--seeds", "0,,1"),
    refuse("seeds", "0-99999", "at most 10,000 seeds", "--seeds", "0-99999"),
    refuse("seeds", "-1-2", "first-last", "--seeds=-1-2"),
    refuse("seeds", "0-1", "--seed", "--seeds", "0-1", "--seed", "0"),
    refuse("nesterov", "True", "momentum above 0", "--nesterov", "--momentum", "0"),
    refuse("warmup_epochs", "2.0", "a warm-up of its own", "--preset", "modern", "--warmup-epochs", "2"),
    refuse("arch", "c8 x4", "x4 at position 2: no such layer", "--arch", "c8 x4"),
    refuse("arch", "c8 gap", "gap at position 2: the result is 8x1x1", "--arch", "c8 gap"),
    refuse("arch", "cnv9", "cnv9 at position 1", "--arch", "cnv9"),
    refuse("arch", "none.py:Net", "no such file", "--arch", "none.py:Net"),
    refuse("dropout", "0.1", "module of your own", "--arch", "none.py:Net", "--dropout", "0.1"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD_VALUES)
def test_a_bad_value_is_named_with_what_is_allowed(cli, refused, arguments, named, home):
    refused(cli("run", "--dataset", "mnist-5k", *arguments), 2, *named)
    assert not list(home.glob("runs/*"))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--epochs", "21"), ("epochs = 21", "at most 20")),
        (("--epochs", "9", "--max-epochs", "8"), ("epochs = 9", "at most 8")),
        (("--arch", "c64 c64 gap fc10"), ("arch = c64 c64 gap fc10", "parameters", "20,000")),
        (("--arch", "conv9", "--max-params", "19457"), ("19,458 parameters", "1 over", "19,457")),
    ],
)
def test_over_the_budget_is_exit_code_3_with_the_ways_to_lift_it(cli, refused, arguments, named, home):
    answer = cli("run", "--dataset", "mnist-5k", *arguments)
    refused(answer, 3, *named)
    assert "--no-budget" in answer.err
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("frobnicate",), ("frobnicate",)),
        (("run", "--learning-rate", "1"), ("--learning-rate",)),
        (("run", "--lr"), ("--lr",)),
        (("run", "conv9"), ("conv9",)),
        (("runs", "--limit", "0"), ("limit", "0", "1")),
        (("runs", "--limit", "x"), ("limit", "x", "1")),
        (("runs", "--sort", "size"), ("sort = size", "best")),
        (("runs", "--status", "done"), ("--status", "done", "crashed")),
        (("resume", "latest", "--epochs", "x"), ("epochs", "x", "1")),
        (("show",), ("RUN",)),
        (("rm",), ("RUN",)),
        (("archs", "show"), ("NAME",)),
        (("data", "erase"), ("erase", "download", "verify", "path")),
        (("data", "path", "--dataset", "cifar"), ("dataset = cifar", "kmnist")),
        (("bench", "--arch", "c8 x4"), ("x4 at position 2",)),
        (("bench", "--batch-size", "0"), ("batch", "0", "1")),
        (("--verbose", "runs"), ("--verbose",)),
    ],
)
def test_wrong_usage_names_the_option_the_value_and_what_is_allowed(cli, refused, no_network, arguments, named):
    refused(cli(*arguments), 2, *named)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("lr = = 1", "mine.toml: not TOML"),
        ("learning_rate = 1", "learning_rate = 1: there is no such field"),
        ('lr = "x"', 'lr = "x": must be a number above 0'),
        ("epochs = 1.5", "epochs = 1.5: must be a whole number"),
        ("base = 'nothing'", "preset = nothing: must be one of seed-conv9"),
    ],
)
def test_a_bad_config_file_is_wrong_usage(cli, refused, tmp_path, content, named):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    refused(cli("run", "--config", path), 2, named)


def test_a_home_that_cannot_be_written_is_named(cli, refused, tmp_path):
    (tmp_path / "file").write_text("")
    answer = cli("run", "--dataset", "mnist-5k", at=tmp_path / "file" / "home")
    refused(answer, 2, f"home = {tmp_path}/file/home: cannot be written")
    assert "--home" in answer.err


def test_a_home_of_nobody_is_named(cli, refused):
    refused(cli("runs", at="~no-such-user-x/home"), 2, "~no-such-user-x/home")


MODULES = {
    "wrong shape": ("self.f = nn.Linear(784, 9)", "self.f(x.flatten(1))", "output of shape (2, 9), not (2, 10)"),
    "not a tensor": ("self.f = nn.Linear(784, 10)", "[x]", "returned list, not a tensor"),
    "raises": ("self.f = nn.Linear(784, 10)", "self.f(x)", "return self.f(x): a linear layer wants 784 values"),
    "raises when made": ("raise ValueError('no such thing')", "x", "ValueError: no such thing"),
    "no parameters": ("pass", "x.flatten(1)[:, :10]", "no trainable parameters"),
}


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("command", [("run", "--dataset", "mnist-5k", "--arch"), ("archs", "show")])
def test_a_module_that_is_not_a_classifier_of_images_is_refused(cli, refused, tmp_path, kind, command, home):
    made, result, reason = MODULES[kind]
    path = tmp_path / "mine.py"
    path.write_text(
        "from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        {made}\n    def forward(self, x):\n        return {result}\n"
    )
    refused(cli(*command, f"{path}:Net"), 2, f"arch = {path}:Net", reason)
    assert not list(home.glob("runs/*"))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("raise KeyError('gone')", "there is no Net in mine.py"),
        ("from no_such_package import Net", "needs no_such_package, which is not installed"),
        ("import sys; Net = sys.exit(7)", "Net, made at mine.py:1 (import sys; Net = sys.exit(7)), which is not run"),
        ("class Net(:", "mine.py:1: class Net(:: SyntaxError"),
        ("\0", "null bytes"),
        ("class Net: pass", "Net is not an nn.Module class"),
        ("Net = 3", "Net is not an nn.Module class"),
        ("class Other: pass", "there is no Net in mine.py"),
    ],
)
def test_a_file_without_the_named_module_is_refused(cli, refused, tmp_path, content, named):
    path = tmp_path / "mine.py"
    path.write_text(content)
    refused(cli("run", "--dataset", "mnist-5k", "--arch", f"{path}:Net"), 2, f"arch = {path}:Net", named)


VALID = (
    "c8p1 p2 c16 c32 p2 c32n c10l",
    "c8 c8 gap fc10",
    "s16p1 a2 d0.1 fc32 fc10",
    "c8b0r dc0.1 res(c8p1b0r c8k1x3p0x1l) relu p3s2p1 gn4 silu gap fc10b0",
    "scale0.5 c4k5l in lrelu0.2 rep2(c4 res(c4 | c4g2)) tie2(c4p1r) flat bn fc16l ln gelu fc10",
)
WRONG = (
    *("p29", "c0", "c4097", "c8k29", "c8p29", "d1", "fc0", "c8nl", "c8nr", "k3", "x", "c8k3x0", "c8b2", "p3p2", "gn7"),
    *("bnw2", "lrelu2", "scale0", "dc1", "res", "rep99(c4)", "tie0(c4)", "res()", "rep64(rep64(d0))", "c8g3", "s8g2"),
)


def malformed(rng: random.Random) -> str:
    """A valid spec with one thing wrong."""
    tokens = [word.text for word in words(rng.choice(VALID))]
    at = rng.randrange(len(tokens))
    wrong = "".join(rng.choices("cspadkfglbrnx()|0123456789.:/é\u0663\x1b$-_", k=rng.randint(1, 6)))
    match rng.randrange(6):
        case 0:
            tokens[at] = wrong
        case 1:
            tokens.insert(at, rng.choice(WRONG))
        case 2:
            tokens[at] += rng.choice("xyz!?*é\x00\x1b")
        case 3:
            tokens[at] = tokens[at].upper()
        case 4:
            tokens.insert(at, rng.choice("()|"))
        case _:
            tokens[at] = tokens[at][0] + "9" * rng.randint(5, 40)
    return " ".join(tokens)


def test_of_300_malformed_specs_each_is_refused_by_its_first_bad_token(cli, refused):
    rng = random.Random(11)
    refusals = 0
    for _ in range(300):
        spec = malformed(rng)
        answer = cli("archs", "show", "--", spec)
        if answer.code == 0:
            continue  # not every change does harm
        refused(answer, 2, " at position ")
        position = int(answer.err.partition(" at position ")[2].split(":")[0])
        token = words(spec)[position - 1].text
        if token.isprintable():
            assert f"{token} at position {position}: " in answer.err.replace("...", token[37:])
        refusals += 1
    assert refusals > 200


@pytest.mark.parametrize("arguments", [("run", "--tag"), ("run", "--frobnicate"), ("archs", "show"), ("resume",)])
def test_the_hint_names_the_help_of_the_command_that_was_typed(cli, refused, arguments):
    answer = cli(*arguments)
    refused(answer, 2)
    command = " ".join(word for word in arguments if not word.startswith("--"))
    assert answer.err.splitlines()[1] == f"hint: mnist-tui {command} --help lists what is allowed"


@pytest.mark.parametrize("option", ["--home", "--data-dir", "--ascii", "--no-mouse"])
def test_an_option_of_all_commands_is_told_its_place(cli, refused, option):
    answer = cli("sweeps", option)
    refused(answer, 2, f"No such option: {option}")
    assert f"hint: {option} goes before the command: mnist-tui {option} ... sweeps" in answer.err


def test_its_place_is_told_to_who_runs_the_module_too(tmp_path):
    words = [sys.executable, "-m", "tui", "data", "--data-dir", "x"]
    answer = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"HOME": str(tmp_path)})
    assert answer.returncode == 2
    assert "-m tui --data-dir ... data\n" in answer.stderr
