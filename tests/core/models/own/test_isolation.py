"""What a file sets is put back; its network is real and in float32; the run's seed decides its weights."""

from __future__ import annotations

import builtins
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import warnings
from decimal import getcontext

import numpy as np
import pytest
import torch

from core.errors import InvalidValue
from core.models.own.isolation import isolated
from core.models.own.load import load_own_module


def umask():
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


LOOKS = {
    "torch.set_default_dtype(torch.float64)": torch.get_default_dtype,
    "torch.set_default_device('meta')": lambda: torch.get_default_device(),
    "torch.set_num_threads(torch.get_num_threads() + 1)": torch.get_num_threads,
    "torch.set_grad_enabled(False)": torch.is_grad_enabled,
    "mode = torch.inference_mode(); mode.__enter__()": torch.is_inference_mode_enabled,
    "torch.autograd.set_detect_anomaly(True)": torch.is_anomaly_enabled,
    "torch.use_deterministic_algorithms(True, warn_only=True)": torch.are_deterministic_algorithms_enabled,
    "torch.backends.cudnn.benchmark = True": lambda: torch.backends.cudnn.benchmark,
    "torch.backends.cudnn.deterministic = True": lambda: torch.backends.cudnn.deterministic,
    "torch.backends.cudnn.enabled = False": lambda: torch.backends.cudnn.enabled,
    "torch.backends.mkldnn.enabled = False": lambda: torch.backends.mkldnn.enabled,
    "torch.set_float32_matmul_precision('medium')": torch.get_float32_matmul_precision,
    "torch.backends.cuda.matmul.allow_tf32 = True": lambda: torch.backends.cuda.matmul.allow_tf32,
    "torch.backends.cudnn.conv.fp32_precision = 'ieee'": lambda: torch.backends.cudnn.conv.fp32_precision,
    "torch.set_autocast_enabled('cpu', True)": lambda: torch.is_autocast_enabled("cpu"),
    "torch.set_autocast_dtype('cpu', torch.float16)": lambda: torch.get_autocast_dtype("cpu"),
    "torch.set_printoptions(precision=1, sci_mode=True)": lambda: str(torch.tensor([1 / 3])),
    "torch.set_warn_always(True)": torch.is_warn_always_enabled,
    "torch.utils.deterministic.fill_uninitialized_memory = False": lambda: (
        torch.utils.deterministic.fill_uninitialized_memory
    ),
    "np.seterr(all='raise')": np.geterr,
    "np.set_printoptions(precision=1)": np.get_printoptions,
    "np.random.rand()": lambda: [*np.random.get_state()[1].tolist(), np.random.get_state()[2]],
    "random.random()": random.getstate,
    "decimal.getcontext().prec = 3": lambda: getcontext().prec,
    "warnings.simplefilter('ignore')": lambda: list(warnings.filters),
    "warnings.showwarning = print": lambda: warnings.showwarning,
    "logging.basicConfig(level=10, force=True)": lambda: (logging.root.level, list(logging.root.handlers)),
    "logging.disable(50)": lambda: logging.root.manager.disable,
    "logging.getLogger('somebody').setLevel(50)": lambda: logging.getLogger("somebody").level,
    "logging.getLogger('somebody').disabled = True": lambda: logging.getLogger("somebody").disabled,
    "os.chdir('/')": os.getcwd,
    "os.umask(0)": umask,
    "multiprocessing.set_start_method('spawn', force=True)": lambda: multiprocessing.get_start_method(allow_none=True),
    "torch.multiprocessing.set_sharing_strategy('file_system')": torch.multiprocessing.get_sharing_strategy,
    "os.environ['OMP_SOMETHING'] = '1'": lambda: dict(os.environ),
    "os.environ.clear()": lambda: dict(os.environ),
    "sys.path.insert(0, '/nowhere')": lambda: list(sys.path),
    "sys.path = []": lambda: list(sys.path),
    "sys.argv[:] = ['x']": lambda: list(sys.argv),
    "sys.stdout = sys.stderr = None": lambda: (sys.stdout, sys.stderr),
    "sys.stdin.close(); sys.stdin = None": lambda: sys.stdin is None,
    "sys.setrecursionlimit(5000)": sys.getrecursionlimit,
    "sys.setswitchinterval(1)": sys.getswitchinterval,
    "sys.excepthook = print": lambda: sys.excepthook,
    "threading.excepthook = print": lambda: threading.excepthook,
    "sys.meta_path.clear()": lambda: list(sys.meta_path),
    "sys.dont_write_bytecode = not sys.dont_write_bytecode": lambda: sys.dont_write_bytecode,
    "builtins.print = None": lambda: print,
    "builtins.something = 1": lambda: hasattr(builtins, "something"),
    "signal.signal(signal.SIGINT, signal.SIG_IGN)": lambda: signal.getsignal(signal.SIGINT),
    "signal.signal(signal.SIGTERM, lambda *_: None)": lambda: signal.getsignal(signal.SIGTERM),
    "signal.alarm(1000)": lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 500,
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, []),
    "gc.disable()": gc.isenabled,
    "gc.set_threshold(1, 1, 1)": gc.get_threshold,
    "socket.setdefaulttimeout(3)": socket.getdefaulttimeout,
    "locale.setlocale(locale.LC_ALL, 'C')": lambda: locale.setlocale(locale.LC_ALL),
}
MODULES = "import builtins, decimal, gc, locale, logging, os, random, signal, socket, sys, threading, warnings\n"
HEAD = f"import multiprocessing\nimport numpy as np\n{MODULES}import torch\nfrom torch import nn\n"
NET = """
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
"""


@pytest.fixture(autouse=True)
def stdin(monkeypatch, tmp_path):
    """A stream that a test may close."""
    (tmp_path / "stdin").touch()
    with (tmp_path / "stdin").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield


@pytest.mark.parametrize("change", LOOKS)
def test_a_state_that_is_set_is_put_back(change):
    before = LOOKS[change]()
    namespace = {}
    exec(HEAD, namespace)
    with isolated():
        exec(change, namespace)
        assert LOOKS[change]() != before, "the test changes nothing"
    assert LOOKS[change]() == before


@pytest.mark.parametrize("change", LOOKS)
@pytest.mark.parametrize("where", ["top", "constructor"])
def test_a_file_may_set_what_it_likes(change, where, file, load):
    if "'meta'" in change or "stdin.close" in change:
        pytest.skip("it makes no network with values")
    before = LOOKS[change]()
    lines = f"{change}\n{NET}" if where == "top" else NET + f"        {change}\n"
    net = load(file(lines, head=HEAD), whole_file=True)
    assert LOOKS[change]() == before
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}
    assert all(parameter.requires_grad and not parameter.is_inference() for parameter in net.parameters())
    net[1](torch.ones(1, 784)).sum().backward()


def test_a_default_device_and_a_gpu_that_is_not_there_do_no_harm(file, load):
    text = "torch.set_default_device('cuda')\n" + NET + "        self.x = torch.zeros(3).cuda()\n        self.cuda()\n"
    net = load(file(text), whole_file=True)
    assert net[1].weight.device.type == net.x.device.type == "cpu"


@pytest.mark.parametrize("kind", ["double", "half", "bfloat16"])
def test_other_floating_point_numbers_become_float32(kind, file, load):
    text = NET + f"        self.register_buffer('steps', torch.zeros(1, dtype=torch.int64))\n        self.{kind}()\n"
    net = load(file(text))
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}
    assert net.steps.dtype == torch.int64


@pytest.mark.parametrize(
    ("made", "named"),
    [("nn.Linear(2, 2, dtype=torch.complex64)", "0.weight is complex"), ("nn.Linear(2, 2, device='meta')", "meta")],
)
def test_numbers_that_a_run_cannot_have_are_refused_by_name(made, named, file, load):
    with pytest.raises(InvalidValue, match=named):
        load(file(f"net = nn.Sequential({made})\n"), "net")


SEEDS = (
    "torch.manual_seed(1)",
    "torch.cuda.manual_seed_all(1)",
    "np.random.seed(1)",
    "random.seed(1)",
    "torch.random.manual_seed(1)",
    "torch.set_rng_state(torch.ones_like(torch.get_rng_state()))",
    "random.setstate(random.Random(1).getstate())",
    "torch.rand(7)",
    "from torch import manual_seed\nmanual_seed(1)",
)
DRAWS = """
class Net(nn.Linear):
    def __init__(self):
        {inside}
        super().__init__(3, 2)
        self.drawn = [random.random(), np.random.rand(), torch.rand(1).item()]
        nn.init.constant_(self.bias, self.drawn[0] + self.drawn[1])
def make():
    {inside}
    return Net()
net = make()
"""


@pytest.mark.parametrize("name", ["Net", "make()", "net"])
@pytest.mark.parametrize("whole_file", [False, True])
@pytest.mark.parametrize("seeding", SEEDS)
def test_the_seed_of_the_run_decides_whatever_the_file_seeds(seeding, whole_file, name, file, load):
    inside = "pass" if "\n" in seeding else seeding
    path = file(f"{seeding}\n{DRAWS.format(inside=inside)}", head=HEAD)
    states = random.getstate(), np.random.get_state()[1].tolist()
    zero, one, again = (load(path, name, seed=seed, whole_file=whole_file) for seed in (0, 1, 0))
    assert torch.equal(zero.weight, again.weight)
    assert not torch.equal(zero.weight, one.weight)
    assert zero.drawn == again.drawn
    assert all(a != b for a, b in zip(zero.drawn, one.drawn, strict=True))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states


def test_the_weights_are_those_of_the_class_under_the_seed_and_torch_goes_on_from_there(file, load):
    net = load(file(NET), seed=5)
    after = torch.rand(3)
    torch.manual_seed(5)
    by_hand = torch.nn.Linear(784, 10)
    assert torch.equal(net[1].weight, by_hand.weight)
    assert torch.equal(after, torch.rand(3))


def test_weights_that_a_file_loads_itself_stay(file, load, tmp_path):
    torch.save({"1.weight": torch.full((10, 784), 0.25), "1.bias": torch.zeros(10)}, tmp_path / "w.pt")
    path = file(NET + f"net = Net()\nnet.load_state_dict(torch.load({str(tmp_path / 'w.pt')!r}))\n")
    assert load(path, "net")[1].weight.unique().tolist() == [0.25]


@pytest.mark.parametrize(
    "change",
    ["set_num_interop_threads(3)", "set_flush_denormal(False)", "set_default_tensor_type('torch.cuda.FloatTensor')"],
)
def test_what_could_not_be_put_back_is_not_set(change, file, load):
    threads = torch.get_num_interop_threads()
    assert load(file(f"torch.{change}\ntorch.cuda.set_device(0)\n{NET}"), whole_file=True)[1].out_features == 10
    assert torch.get_num_interop_threads() == threads


def test_another_thread_seeds_as_it_likes_meanwhile(file):
    path = file(
        "import threading\nimport time\n" + NET + "        READY.set()\n        GO.wait(10)\n",
        head="READY = GO = None\n",
    )
    text = path.read_text().replace(
        "READY = GO = None\n", "from torch import nn\nimport sys\nREADY, GO = sys.modules['own_test_events'].both\n"
    )
    path.write_text(text)
    events = type(sys)("own_test_events")
    events.both = ready, go = threading.Event(), threading.Event()
    sys.modules["own_test_events"] = events
    try:
        worker = threading.Thread(target=load_own_module, args=(f"{path}:Net",), kwargs={"seed": 0})
        worker.start()
        assert ready.wait(60)
        torch.manual_seed(4)
        first = torch.rand(2)
        torch.manual_seed(4)
        assert torch.equal(first, torch.rand(2))
        go.set()
        worker.join()
    finally:
        del sys.modules["own_test_events"]


def test_files_that_are_loaded_at_once_put_back_what_was_before_both(file, load):
    first, second = threading.Event(), threading.Event()
    before = list(sys.argv)

    def slow():
        with isolated():
            sys.argv = ["slow"]
            first.set()
            second.wait(0.2)

    worker = threading.Thread(target=slow)
    worker.start()
    assert first.wait(60)
    load(file(NET))
    second.set()
    worker.join()
    assert sys.argv == before
