"""Runs that learn from others: what is kept of a teacher, what becomes of a run when that goes, what is refused."""

from __future__ import annotations

import shutil

import pytest
from own_files import write_own
from safetensors.torch import load_file, save_file

from core.errors import InvalidValue, RunError
from core.events import RunFailed, RunFinished, RunStarted
from experiments.bundles.pack import pack
from experiments.bundles.unpack import unpacked
from experiments.execution.apart import make_all_new, train_new
from experiments.execution.grouped_runs import train_group
from experiments.execution.ray_worker import Order, RayWorker
from experiments.execution.replicate import IN_TURN, TrainingPlan, replicate
from experiments.execution.runner import Runner
from experiments.runs.config import stored_config
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta, RunSpec
from experiments.runs.seeds import seed_specs
from experiments.runs.teacher import TEACHER, TeacherCopy
from experiments.verification.verify import verify

GROUP = "g20260102-030405-abcd1234"


@pytest.fixture
def runner(locations) -> Runner:
    return Runner(locations)


def after(calls: int):
    left = iter(range(calls))
    return lambda: "" if next(left, None) is not None else "enough"


def train(runner, config, *meta):
    entries = list(runner.run(config, *meta))
    return runner.store.run(entries[-1].run_id)


def weights(run) -> str:
    return run.view().end.weights_sha256


def started(run) -> list[RunStarted]:
    return [entry.event for entry in EventReader(run.log).poll() if isinstance(entry.event, RunStarted)]


def differing(run, locations) -> str:
    return "; ".join(check.item for check in verify(run, locations).checks if check.agrees is False)


@pytest.fixture
def teacher(runner, tiny):
    return train(runner, tiny.changed(arch="c6 p2 c8 gap fc10"), Meta("big"))


@pytest.mark.parametrize("augment", ["none", "shift"])
def test_a_run_keeps_its_teacher_and_goes_on_without_it_to_the_same_weights(runner, locations, teacher, tiny, augment):
    config = tiny.changed(teacher="big", augment=augment)
    whole = train(runner, config)
    assert stored_config(whole).teacher == teacher.id  # as it may be called something else tomorrow
    assert weights(whole) != weights(train(runner, tiny.changed(augment=augment)))
    copy = TeacherCopy.read(whole.folder)
    assert [network.run_id for network in copy.networks] == [teacher.id]
    of_teacher = load_file(teacher.final_weights)
    assert {name: tensor.tolist() for name, tensor in copy.tensors.items()} == {
        f"0.{name}": tensor.tolist() for name, tensor in of_teacher.items()
    }
    (event,) = started(whole)
    assert event.teacher == copy.sha256
    assert f"learns from run {teacher.id} (c6 p2 c8 gap fc10; final weights of epoch 2, " in event.note
    assert f", {teacher.view().end.weights_sha256[:12]})" in event.note
    for calls in (2, 3, 4, 6):
        stopped = train(Runner(locations, after(calls)), config)
        assert stopped.row().ended == "stopped"
        shutil.move(teacher.folder, locations.home / "elsewhere")
        list(Runner(locations).resume(stopped))
        shutil.move(locations.home / "elsewhere", teacher.folder)
        assert weights(stopped) == weights(whole)
    runner.store.remove(teacher)
    assert verify(whole, locations).agrees
    assert verify(stopped, locations).agrees


def test_a_run_made_for_another_process_has_its_teacher_with_it(runner, locations, teacher, tiny):
    config = tiny.changed(teacher="latest")
    whole = train(runner, config)
    (made,) = make_all_new(Runner(locations), [RunSpec(config.changed(teacher=teacher.id))])
    runner.store.remove(teacher)
    list(Runner(locations).resume(made))
    assert weights(made) == weights(whole)


def test_latest_is_one_run_for_all_seeds_and_new_seeds_of_a_group_learn_from_what_the_group_keeps(
    runner, locations, teacher, tiny
):
    specs = seed_specs(tiny.changed(teacher="latest"), range(2), Meta("try", (), GROUP))
    list(replicate(runner, specs, IN_TURN))
    members = runner.store.find_all(GROUP)
    sums = {TeacherCopy.read(run.folder).sha256 for run in members}
    assert {stored_config(run).teacher for run in members} == {teacher.id}
    list(Runner(locations).resume(teacher, epochs=3))  # it has other weights now
    for is_there in (True, False):
        if not is_there:
            runner.store.remove(teacher)
        (more,) = seed_specs(stored_config(members[0]), [2 + is_there], Meta("try", (), GROUP))
        run = train(Runner(locations), more.config, more.meta)
        assert {TeacherCopy.read(run.folder).sha256} == sums


@pytest.mark.parametrize("way", ["processes", "grouped"])
def test_a_group_learns_together_as_each_does_alone(runner, locations, teacher, tiny, way):
    specs = seed_specs(tiny.changed(teacher=teacher.id, engine="eager"), range(2), Meta("try", (), GROUP))
    plan = TrainingPlan(way, 2)
    entries = train_group(runner, specs) if way == "grouped" else replicate(runner, specs, plan)
    assert sum(isinstance(entry.event, RunFinished) for entry in entries) == 2
    for run, spec in zip(runner.store.find_all(GROUP), specs, strict=True):
        alone = train(Runner(locations), spec.config)
        one, other = (load_file(each.final_weights) for each in (run, alone))
        for name, tensor in one.items():
            assert (tensor - other[name]).abs().max() < 1e-4
        assert verify(run, locations).agrees


def test_a_group_teaches_by_its_mean_probabilities(runner, locations, tiny):
    list(replicate(runner, seed_specs(tiny, range(3), Meta("teachers", (), GROUP)), IN_TURN))
    run = train(runner, tiny.changed(teacher="teachers", epochs=1))
    copy = TeacherCopy.read(run.folder)
    assert (len(copy.networks), copy.reference) == (3, GROUP)
    assert f"the mean probabilities of the 3 runs of group {GROUP}" in started(run)[0].note
    assert verify(run, locations).agrees


@pytest.mark.parametrize(("held_out", "is_said"), [(0, True), (20, True), (40, False), (60, False)])
def test_a_teacher_that_has_seen_held_out_images_is_named_so(runner, tiny, held_out, is_said):
    teacher = train(runner, tiny.changed(epochs=1, val_split=held_out))
    note = started(train(runner, tiny.changed(epochs=1, val_split=40, teacher=teacher.id)))[0].note
    assert ("was trained on images that are held out here" in note) is is_said


def test_a_module_of_ones_own_may_learn_but_not_teach(runner, locations, teacher, tiny, tmp_path):
    own = tiny.changed(arch=write_own(tmp_path), teacher="big", epochs=1)
    entries = list(train_new(runner, RunSpec(own)))
    student = runner.store.run(entries[-1].run_id)
    assert isinstance(student.view().end, RunFinished)
    assert stored_config(student).teacher == teacher.id
    with pytest.raises(InvalidValue, match="trains a module of your own"):
        list(runner.run(tiny.changed(teacher=student.id)))


def test_a_worker_on_another_machine_is_given_the_teacher(runner, locations, teacher, tiny, mnist_5k_elsewhere):
    config = tiny.changed(teacher=teacher.id)
    whole = train(runner, config)
    made = runner.create(config, Meta())
    files = {TEACHER: (made.folder / TEACHER).read_bytes()}
    parcels = list(RayWorker().train(Order(made.id, made.config(), files, locations.data)))
    end = parcels[-2].events[-1] if not parcels[-1].events else parcels[-1].events[-1]
    assert isinstance(end, RunFinished)
    assert end.weights_sha256 == weights(whole)
    assert all(TEACHER not in parcel.files for parcel in parcels)


@pytest.fixture
def mnist_5k_elsewhere():
    """The bundled digits are where any worker is."""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"teacher": "nobody"}, "nobody: no such run"),
        ({"teacher": "big", "dataset": "mnist"}, "was trained on mnist-5k, not on mnist"),
    ],
)
def test_what_cannot_teach_is_refused_before_there_is_a_run(runner, teacher, tiny, options, words):
    for make in (lambda config: list(runner.run(config)), lambda config: runner.create(config, Meta())):
        with pytest.raises(InvalidValue, match=words) as caught:
            make(tiny.changed(**options))
        assert caught.value.field == "teacher"
        assert caught.value.hint
    assert [run.id for run in runner.store.runs()] == [teacher.id]


def test_a_run_without_weights_and_a_name_of_several_are_refused(runner, locations, teacher, tiny):
    made = runner.create(tiny, Meta())
    with pytest.raises(InvalidValue, match="has no weights yet"):
        list(runner.run(tiny.changed(teacher=made.id)))
    train(runner, tiny.changed(epochs=1), Meta("big"))
    with pytest.raises(InvalidValue, match="matches 2 runs"):
        list(Runner(locations).run(tiny.changed(teacher="big")))


def spoil(run, how: str) -> None:
    path = run.folder / TEACHER
    if how == "missing":
        path.unlink()
    elif how == "damaged":
        path.write_bytes(path.read_bytes()[:200])
    elif how == "not described":
        save_file(load_file(path), path)
    else:
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        tensors = load_file(path)
        tensors["0.Conv2d-1.weight"] *= 2
        save_file(tensors, path, metadata)


@pytest.mark.parametrize("how", ["missing", "damaged", "not described", "changed"])
def test_a_copy_that_is_no_more_what_it_was_is_found_and_not_learnt_from(runner, locations, teacher, tiny, how):
    finished = train(runner, tiny.changed(teacher=teacher.id))
    stopped = train(Runner(locations, after(3)), tiny.changed(teacher=teacher.id))
    assert differing(finished, locations) == ""
    for run in (finished, stopped):
        spoil(run, how)
    assert "teacher" in differing(finished, locations)
    with pytest.raises(RunError, match=r"teacher\.safetensors") as caught:
        list(Runner(locations).resume(stopped))
    assert "\n" not in caught.value.message
    assert isinstance(stopped.view().end, RunFailed)


def test_a_bundle_has_the_teacher_and_is_verified_elsewhere(runner, locations, teacher, tiny, tmp_path):
    run = train(runner, tiny.changed(teacher=teacher.id))
    path = tmp_path / "run.zip"
    path.write_bytes(pack(run))
    runner.store.remove(run)
    runner.store.remove(teacher)
    with unpacked(path) as [(copy, before)]:
        found = verify(copy, locations, before=before)
    assert found.agrees
    assert any("teacher" in check.item and check.agrees for check in found.checks)
