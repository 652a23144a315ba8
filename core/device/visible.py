"""The GPUs that a process, and those that it starts, may be given. Without torch until it is asked."""

from __future__ import annotations

import os


def visible_gpus(device: str) -> list[str]:
    """The values of CUDA_VISIBLE_DEVICES that each show a process one of the GPUs that it may be given.

    One that is empty, as in `Slot`, stands for the GPU that the config itself names among all there are.
    """
    if device.startswith("cuda:"):
        return [""]
    if device not in ("auto", "cuda"):
        return []
    import torch

    count = torch.cuda.device_count()
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (visible or [str(index) for index in range(count)])[:count]
