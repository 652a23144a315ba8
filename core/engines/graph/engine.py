"""Steps recorded once as CUDA graphs and replayed.

A step of a tiny network is hundreds of kernels of a few microseconds each, which a GPU finishes sooner than Python can
ask for the next one. A graph asks for all of them at once.
"""

from __future__ import annotations

import torch

from core.engines.engine import DeviceStep, Forward, Unchanged
from core.engines.graph.replayable import operations_of, replay_obstacle
from core.errors import one_line


class GraphEngine:
    """Replays a graph for each step and size of batch that it could record, and calls the step where it could not."""

    name = "graph"

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._graphs: dict[tuple[DeviceStep, int], torch.cuda.CUDAGraph] = {}
        self.note = ""

    def forward(self, model: Forward) -> Forward:
        return model

    def prepare(self, step: DeviceStep) -> None:
        """Record the step for each size of batch.

        A step that cannot be recorded is left to be called; so is one that fails, which will then fail in its place.
        """
        for size in step.sizes():
            try:
                reason = self._record(step, size)
            except Exception as error:  # noqa: BLE001  # whatever is wrong with the step, calling it will show
                reason = f"{type(error).__name__}: {error}"
            if reason:
                self.note = self.note or f"steps are not replayed as CUDA graphs: {one_line(reason)}"

    def run(self, step: DeviceStep, size: int) -> None:
        graph = self._graphs.get((step, size))
        if graph is None:
            step(size)
        else:
            graph.replay()

    def _record(self, step: DeviceStep, size: int) -> str:
        """Record the step unless there is a reason not to, which is returned."""
        with torch.cuda.device(self._device), Unchanged(step) as state:
            # Libraries set themselves up in their first calls, which must not be recorded; and what autograd remembers
            # of the stream on which a parameter was first used must agree with the recording's.
            caller = torch.cuda.current_stream(self._device)
            self._stream.wait_stream(caller)
            try:
                with torch.cuda.stream(self._stream):
                    first = operations_of(lambda: step(size))
                    state.start_over()
                    second = operations_of(lambda: step(size))
                    state.start_over()
            finally:
                caller.wait_stream(self._stream)  # before anything is put back, of a step that failed half-way too
            if reason := replay_obstacle(first, second):
                return reason
            graph = torch.cuda.CUDAGraph()
            try:
                # In mode "global", work that another thread gives to the GPU meanwhile is an error and not a silently
                # wrong graph.
                with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="global"):
                    step(size)
            finally:
                torch.cuda.set_stream(caller)  # which a failed recording does not do
            self._graphs[step, size] = graph
        return ""
