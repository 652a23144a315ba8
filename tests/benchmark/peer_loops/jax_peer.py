"""JAX with all steps in one `lax.scan`."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from serving import StepPeer, Task, serve

EPS, SHARE = 1e-5, 0.1
"""Of batch norms, as torch has them."""


def initial(layers, key):
    """Weights and running statistics, a dict for each layer."""
    weights, statistics = [], []
    for layer in layers:
        options, made, kept = layer["options"], {}, {}
        key, first, second = jax.random.split(key, 3)
        if layer["kind"] in ("Conv2d", "Linear"):
            if layer["kind"] == "Conv2d":
                side, inputs = options["kernel_size"], options["in_channels"] // options["groups"]
                shape, fan = (side, side, inputs, options["out_channels"]), side * side * inputs
            else:
                shape = (options["in_features"], options["out_features"])
                fan = shape[0]
            bound = 1 / math.sqrt(fan)
            made["w"] = jax.random.uniform(first, shape, minval=-bound, maxval=bound)
            if options.get("bias", True):
                made["b"] = jax.random.uniform(second, shape[-1:], minval=-bound, maxval=bound)
        elif layer["kind"] == "BatchNorm2d":
            count = options["num_features"]
            made = {"w": jnp.ones(count), "b": jnp.zeros(count)}
            kept = {"mean": jnp.zeros(count), "var": jnp.ones(count)}
        weights.append(made)
        statistics.append(kept)
    return weights, statistics


def forward(layers, weights, statistics, x, *, training):
    """Logits and new statistics."""
    after = []
    for layer, mine, kept in zip(layers, weights, statistics, strict=True):
        options, new = layer["options"], kept
        match layer["kind"]:
            case "Conv2d":
                padding = [(options["padding"],) * 2] * 2
                x = lax.conv_general_dilated(
                    x, mine["w"], (options["stride"],) * 2, padding, rhs_dilation=(options["dilation"],) * 2,
                    dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=options["groups"],
                )  # fmt: skip
                x = x + mine["b"] if "b" in mine else x
            case "Linear":
                x = x @ mine["w"] + mine.get("b", 0.0)
            case "ReLU":
                x = jax.nn.relu(x)
            case "BatchNorm2d":
                mean, var = kept["mean"], kept["var"]
                if training:
                    mean = x.mean((0, 1, 2))
                    var = jnp.square(x).mean((0, 1, 2)) - jnp.square(mean)
                    count = x.size // x.shape[-1]
                    new = {
                        "mean": (1 - SHARE) * kept["mean"] + SHARE * mean,
                        "var": (1 - SHARE) * kept["var"] + SHARE * var * count / (count - 1),
                    }
                scale = mine["w"] * lax.rsqrt(var + EPS)
                x = x * scale + (mine["b"] - mean * scale)
            case "MaxPool2d":
                window = (1, options["kernel_size"], options["kernel_size"], 1)
                x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
            case "AdaptiveAvgPool2d":
                x = x.mean((1, 2), keepdims=True)
            case "Flatten":
                x = x.reshape(len(x), -1)
            case kind:
                raise ValueError(f"{kind} is none of the layers that this peer has")
        after.append(new)
    return x, after


class JaxPeer(StepPeer):
    def __init__(self, task: Task) -> None:
        self._images, self._labels = jnp.asarray(task.train_images[..., None]), jnp.asarray(task.train_labels)
        self._test, self._test_labels = jnp.asarray(task.test_images[..., None]), task.test_labels
        weights, statistics = initial(task.layers, jax.random.key(0))
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(weights))
        self._state = weights, jax.tree.map(jnp.zeros_like, weights), statistics
        self._score = jax.jit(partial(forward, task.layers, training=False))

        def loss_of(weights, statistics, images, labels):
            logits, statistics = forward(task.layers, weights, statistics, images, training=True)
            picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
            return -picked.mean(), statistics

        def step(state, index, images, labels):
            weights, momenta, statistics = state
            batch = images[index], labels[index]
            (loss, statistics), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights, statistics, *batch)
            momenta = jax.tree.map(lambda m, g: task.momentum * m + g, momenta, gradients)
            weights = jax.tree.map(lambda w, m: w - task.lr * m, weights, momenta)
            return (weights, momenta, statistics), loss

        @partial(jax.jit, donate_argnums=0)
        def epoch(state, order, images, labels):
            return lax.scan(lambda state, index: step(state, index, images, labels), state, order)

        self._epoch = epoch

    def train(self, order: np.ndarray) -> np.ndarray:
        self._state, losses = self._epoch(self._state, jnp.asarray(order), self._images, self._labels)
        return np.asarray(losses)

    def accuracy(self) -> float:
        weights, _, statistics = self._state
        parts = range(0, len(self._test), 1000)
        found = [np.asarray(self._score(weights, statistics, self._test[i : i + 1000])[0]).argmax(1) for i in parts]
        return float((np.concatenate(found) == self._test_labels).mean())


serve(JaxPeer)
