"""Driving ``torch.nn.BatchNorm1d`` and ``BatchNorm2d``, whose momentum weighs the new value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from conformance.adapters.protocols import ARRAYS, Config

_NAMES = dict(zip(ARRAYS, ("weight", "bias", "running_mean", "running_var"), strict=True))


@dataclass(frozen=True, slots=True)
class TorchLayer:
    """A module and the number of axes of length one that follow the features."""

    module: Any
    spatial: int

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        self.module.train(not use_running_average)
        return self.forward(torch.from_numpy(np.array(x))).detach().numpy()

    def read(self) -> dict[str, Any]:
        held = {name: getattr(self.module, own) for name, own in _NAMES.items()}
        return {name: tensor.detach().numpy().copy() for name, tensor in held.items()}

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        with torch.no_grad():
            for name, value in values.items():
                getattr(self.module, _NAMES[name]).copy_(torch.from_numpy(np.array(value)))

    def call(self, x: Any, *, evaluate: bool) -> TorchCall:
        """Return the call of a copy of the module, to be differentiated by torch.autograd."""
        return TorchCall(TorchLayer(deepcopy(self.module), self.spatial), x, evaluate)

    def forward(self, rows: Any) -> Any:
        """Return y of a tensor (N, D), with its graph."""
        y = self.module(rows.reshape(*rows.shape, *(1,) * self.spatial))
        return y.reshape(rows.shape)


@dataclass(frozen=True, slots=True)
class TorchCall:
    """A call of a module of its own, by operations."""

    layer: TorchLayer
    x: Any
    evaluate: bool

    def gradients(self, w: Any) -> tuple[Any, Any, Any]:
        return self.pullback()(w)

    def pullback(self) -> Callable[[Any], tuple[Any, Any, Any]]:
        y, rows = self._called()
        module = self.layer.module

        def pulled(w: Any) -> tuple[Any, Any, Any]:
            cotangent = torch.from_numpy(np.array(w))
            to = (module.weight, module.bias, rows)
            found = torch.autograd.grad(y, to, cotangent, retain_graph=True)
            gamma, beta, x = (gradient.numpy() for gradient in found)
            return gamma, beta, x

        return pulled

    def through_statistics(self, of_mean: Any, of_var: Any) -> Any:
        """As always, and 0 where the running statistics have no graph."""
        _, rows = self._called()
        pairs = ((self.layer.module.running_mean, of_mean), (self.layer.module.running_var, of_var))
        carried = [(a, torch.from_numpy(np.array(w))) for a, w in pairs if a.requires_grad]
        if not carried:
            return np.zeros(rows.shape, np.float32)
        averages, weights = zip(*carried, strict=True)
        return torch.autograd.grad(averages, rows, weights)[0].numpy()

    def _called(self) -> tuple[Any, Any]:
        """Call the module; return y and the input as a leaf of its graph."""
        self.layer.module.train(not self.evaluate)
        rows = torch.from_numpy(np.array(self.x)).requires_grad_()
        return self.layer.forward(rows), rows


def build(config: Config, spatial: int) -> TorchLayer:
    """Return BatchNorm1d for rows, or BatchNorm2d for images of one pixel if ``spatial`` is 2."""
    module = torch.nn.BatchNorm2d if spatial == 2 else torch.nn.BatchNorm1d
    made = module(config.features, eps=config.eps, momentum=1 - config.momentum)
    return TorchLayer(made, spatial)
