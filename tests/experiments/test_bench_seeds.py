"""What the benchmark of grouped training times: whole runs, all of them."""

from experiments.bench_seeds import time_seeds


def test_every_seed_of_the_group_and_those_in_turn_are_trained_to_their_end(tiny, blobs):
    config = tiny.changed(limit_train=128, epochs=1)
    grouped, in_turn = time_seeds(config, blobs, 3, in_turn=2)
    assert (grouped.way, grouped.copies, in_turn.way, in_turn.copies) == ("grouped", 3, "in turn", 2)
    for timing in (grouped, in_turn):
        assert (timing.arch, timing.engine, timing.epochs) == (config.arch, "eager", 1)
        assert timing.preparing > 0
        assert timing.seconds > 0
        assert timing.seeds_per_minute == 60 * timing.copies / (timing.preparing + timing.seconds)
