"""tinygrad with TinyJit."""

from __future__ import annotations

import numpy as np
from serving import StepPeer, Task, serve
from tinygrad import Context, Tensor, TinyJit, nn


def layer_of(kind: str, options: dict):
    match kind:
        case "Conv2d":
            names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
            return nn.Conv2d(*(options[name] for name in names))
        case "Linear":
            return nn.Linear(options["in_features"], options["out_features"], bias=options.get("bias", True))
        case "ReLU":
            return Tensor.relu
        case "BatchNorm2d":
            return nn.BatchNorm(options["num_features"])
        case "MaxPool2d":
            return lambda x: x.max_pool2d(options["kernel_size"])
        case "AdaptiveAvgPool2d":
            return lambda x: x.mean((2, 3), keepdim=True)
        case "Flatten":
            return lambda x: x.flatten(1)
    raise ValueError(f"{kind} is none of the layers that this peer has")


class TinygradPeer(StepPeer):
    def __init__(self, task: Task) -> None:
        self._layers = [layer_of(row["kind"], row["options"]) for row in task.layers]
        tensors = nn.state.get_parameters(self._layers)
        self.parameters = sum(each.numel() for each in tensors if each.is_param)
        self._optimizer = nn.optim.SGD(tensors, lr=task.lr, momentum=task.momentum)
        self._images, self._labels = task.train_images[:, None], task.train_labels
        self._test, self._test_labels = Tensor(task.test_images[:, None]).realize(), task.test_labels

        def step(images: Tensor, labels: Tensor) -> Tensor:
            self._optimizer.zero_grad()
            loss = images.sequential(self._layers).sparse_categorical_crossentropy(labels).backward()
            return loss.realize(*self._optimizer.schedule_step())

        self._step = TinyJit(step)
        self._score = TinyJit(lambda images: images.sequential(self._layers).argmax(1).realize())

    def train(self, order: np.ndarray) -> list[float]:
        with Context(TRAINING=1):
            # Gathered by numpy: an index into all images is a product with all of them in tinygrad.
            return [
                self._step(*(Tensor(of[index]).realize() for of in (self._images, self._labels))).item()
                for index in order
            ]

    def accuracy(self) -> float:
        parts = range(0, len(self._test_labels), 1000)
        found = [self._score(self._test[i : i + 1000].contiguous().realize()).numpy() for i in parts]
        return float((np.concatenate(found) == self._test_labels).mean())


serve(TinygradPeer)
