"""Drives ``mlx.nn.BatchNorm``, whose momentum weights the new value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn
import numpy as np

from conformance.adapters.protocols import ARRAYS, Config

_NAMES = dict(zip(ARRAYS, ("weight", "bias", "running_mean", "running_var"), strict=True))


@dataclass(frozen=True, slots=True)
class MlxLayer:
    """A module of MLX, evaluated on the CPU after each call."""

    module: Any

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        self.module.train(not use_running_average)
        return np.array(self.module(mx.array(np.array(x))))

    def read(self) -> dict[str, Any]:
        return {name: np.array(getattr(self.module, own)) for name, own in _NAMES.items()}

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        for name, value in values.items():
            setattr(self.module, _NAMES[name], mx.array(np.array(value)))


def build(config: Config) -> MlxLayer:
    """Return the layer on the CPU, the only device of the Linux wheel."""
    mx.set_default_device(mx.cpu)
    layer = mlx.nn.BatchNorm(config.features, eps=config.eps, momentum=1 - config.momentum)
    return MlxLayer(layer)
