"""`bench` as a command: what it refuses, and what it says of seeds."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--precision", "tf32", "--device", "cpu"), ("precision = tf32", "needs a CUDA device, not cpu")),
        (("--engine", "graph", "--device", "cpu"), ("engine = graph", "needs a CUDA device, not cpu")),
    ],
)
def test_what_cannot_work_here_is_refused_before_any_data_is_looked_for(cli, refused, no_network, arguments, named):
    refused(cli("bench", *arguments), 2, *named)
