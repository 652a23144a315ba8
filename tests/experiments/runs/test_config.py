"""The config of a run's folder says what the run turned out to use."""

from experiments.execution.runner import Runner
from experiments.runs.config import stored_config


def test_the_stored_config_names_the_data_set_that_was_found(locations, tiny):
    runner = Runner(locations)
    run = runner.store.run(list(runner.run(tiny))[-1].run_id)
    text = (run.folder / "config.json").read_text()
    (run.folder / "config.json").write_text(text.replace('"mnist-5k"', '"auto"'))
    assert stored_config(run).dataset == "mnist-5k"
