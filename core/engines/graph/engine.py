"""Records steps once as CUDA graphs and replays them.

A step of a tiny network is hundreds of kernels of a few microseconds each. A GPU finishes one sooner than Python can
launch the next; a graph launches all of them at once.
"""

from __future__ import annotations

import torch

from core.engines.engine import DeviceStep, EagerEngine, Unchanged
from core.engines.graph.replayable import operations_of, replay_obstacle
from core.errors import one_line


class GraphEngine(EagerEngine):
    """Replays a graph for each step and batch size that it could record, and calls the others."""

    name = "graph"

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._graphs: dict[tuple[DeviceStep, int], torch.cuda.CUDAGraph] = {}

    def prepare(self, step: DeviceStep) -> None:
        """Record the step for each batch size.

        A step that cannot be recorded will be called instead. So will one that fails; the run will show the error.
        """
        for size in step.sizes():
            try:
                reason = self._record(step, size)
            except Exception as error:  # noqa: BLE001  # the run will call the step and show the error
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
        """Record the step, or return the reason why it cannot be recorded."""
        with torch.cuda.device(self._device), Unchanged(step) as state:
            # First calls, in which libraries set themselves up, must not be recorded. They run on the stream of the
            # recording, as autograd remembers on which stream a parameter was first used.
            caller = torch.cuda.current_stream(self._device)
            self._stream.wait_stream(caller)
            try:
                with torch.cuda.stream(self._stream):
                    first = operations_of(lambda: step(size))
                    state.start_over()
                    second = operations_of(lambda: step(size))
                    state.start_over()
            finally:
                caller.wait_stream(self._stream)  # before anything is restored, even if a step failed
            if reason := replay_obstacle(first, second):
                return reason
            graph = torch.cuda.CUDAGraph()
            try:
                # In mode "global", work that another thread gives to the GPU meanwhile raises an error. In others it
                # could spoil the graph silently.
                with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="global"):
                    step(size)
            finally:
                torch.cuda.set_stream(caller)  # a failed recording leaves its own stream
            self._graphs[step, size] = graph
        return ""
