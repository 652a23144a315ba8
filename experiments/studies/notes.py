"""The notes that are kept on a trial, as the keys of Optuna's user attributes."""

RUN_ID, ADDED, GIVEN_UP = "run_id", "added", "given_up"
"""Notes on a trial: its run, that somebody asked for it, and who gave it up while it was trained."""
REJECTED, PRUNED, FAILED, REPEATS = "rejected", "pruned", "failed", "repeats"
"""Notes on how a trial came to its end: why it was never trained, pruned or failed, or which one it repeats."""
GROUP, SCORES = "group", "scores"
"""Of a trial with several seeds: the id of its runs' group, and by seed the run and its objectives."""
