"""Keras 3 on TensorFlow or JAX, as KERAS_BACKEND says, compiled by XLA."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from serving import StepPeer, Task, serve


def layer_of(kind: str, options: dict):
    match kind:
        case "Conv2d":
            side = {"kernel_size": options["kernel_size"], "strides": options["stride"], "padding": "valid"}
            side |= {"dilation_rate": options["dilation"], "use_bias": options["bias"]}
            depthwise = options["groups"] == options["in_channels"] == options["out_channels"] != 1
            conv = layers.DepthwiseConv2D(**side) if depthwise else layers.Conv2D(
                options["out_channels"], groups=options["groups"], **side
            )  # fmt: skip
            if options["padding"] == 0:
                return [conv]
            if 2 * options["padding"] == options["kernel_size"] - 1 and options["stride"] == options["dilation"] == 1:
                conv.padding = "same"
                return [conv]
            return [layers.ZeroPadding2D(options["padding"]), conv]
        case "Linear":
            return [layers.Dense(options["out_features"], use_bias=options.get("bias", True))]
        case "ReLU":
            return [layers.ReLU()]
        case "BatchNorm2d":
            return [layers.BatchNormalization(momentum=0.9, epsilon=1e-5)]
        case "MaxPool2d":
            return [layers.MaxPooling2D(options["kernel_size"])]
        case "AdaptiveAvgPool2d":
            return [layers.GlobalAveragePooling2D(keepdims=True)]
        case "Flatten":
            return [layers.Flatten()]
    raise ValueError(f"{kind} is none of the layers that this peer has")


class KerasPeer(StepPeer):
    def __init__(self, task: Task) -> None:
        self._task = task
        self._images = task.train_images[..., None]
        made = [made for row in task.layers for made in layer_of(row["kind"], row["options"])]
        self._model = keras.Sequential([keras.Input(self._images.shape[1:]), *made])
        self.parameters = sum(int(np.prod(each.shape)) for each in self._model.trainable_variables)
        self._model.compile(
            optimizer=keras.optimizers.SGD(task.lr, momentum=task.momentum),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        )
        self._losses: list[float] = []

    def train(self, order: np.ndarray) -> list[float]:
        """The first number is the mean loss of the first steps that were ever made, the last that of these."""
        flat = order.reshape(-1)
        history = self._model.fit(
            self._images[flat], self._task.train_labels[flat], batch_size=order.shape[1], shuffle=False, verbose=0
        )
        self._losses.append(history.history["loss"][0])
        return [self._losses[-1]]

    def accuracy(self) -> float:
        logits = self._model.predict(self._task.test_images[..., None], batch_size=1000, verbose=0)
        return float((logits.argmax(1) == self._task.test_labels).mean())


serve(KerasPeer)
