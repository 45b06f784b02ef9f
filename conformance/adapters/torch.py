"""Driving ``torch.nn.BatchNorm1d`` and ``BatchNorm2d``, whose momentum weighs the new value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from conformance.implementation import ARRAYS, Config

_NAMES = dict(zip(ARRAYS, ("weight", "bias", "running_mean", "running_var"), strict=True))


@dataclass(frozen=True, slots=True)
class TorchLayer:
    """A module and the number of axes of length one that follow the features."""

    module: Any
    spatial: int

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        self.module.train(not use_running_average)
        rows = torch.from_numpy(np.array(x))
        y = self.module(rows.reshape(*rows.shape, *(1,) * self.spatial))
        return y.detach().numpy().reshape(rows.shape)

    def read(self) -> dict[str, Any]:
        held = {name: getattr(self.module, own) for name, own in _NAMES.items()}
        return {name: tensor.detach().numpy().copy() for name, tensor in held.items()}

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        with torch.no_grad():
            for name, value in values.items():
                getattr(self.module, _NAMES[name]).copy_(torch.from_numpy(np.array(value)))


def build(config: Config, spatial: int) -> TorchLayer:
    """Return BatchNorm1d for rows, or BatchNorm2d for images of one pixel if ``spatial`` is 2."""
    module = torch.nn.BatchNorm2d if spatial == 2 else torch.nn.BatchNorm1d
    made = module(config.features, eps=config.eps, momentum=1 - config.momentum)
    return TorchLayer(made, spatial)
