"""Drives ``torch.nn.BatchNorm1d`` and ``BatchNorm2d``, whose momentum weights the new value."""

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
    """A module, and the number of axes of length one that follow the features."""

    module: Any
    spatial: int

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        self.module.train(not use_running_average)
        return self.forward(torch.from_numpy(np.array(x))).detach().numpy()

    def read(self) -> dict[str, Any]:
        tensors = {name: getattr(self.module, own) for name, own in _NAMES.items()}
        return {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()}

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        with torch.no_grad():
            for name, value in values.items():
                getattr(self.module, _NAMES[name]).copy_(torch.from_numpy(np.array(value)))

    def call(self, x: Any, *, evaluate: bool) -> TorchCall:
        """Return the call on x, (N, D), of a copy of the module, for torch.autograd."""
        return TorchCall(TorchLayer(deepcopy(self.module), self.spatial), x, evaluate)

    def forward(self, rows: Any) -> Any:
        """Return y of a tensor (N, D), with its autograd graph."""
        y = self.module(rows.reshape(*rows.shape, *(1,) * self.spatial))
        return y.reshape(rows.shape)


@dataclass(frozen=True, slots=True)
class TorchCall:
    """A call of a module that nothing else uses."""

    layer: TorchLayer
    x: Any
    evaluate: bool

    def gradients(self, w: Any) -> tuple[Any, Any, Any]:
        return self.pullback()(w)

    def pullback(self) -> Callable[[Any], tuple[Any, Any, Any]]:
        y, rows = self._forward()
        module = self.layer.module

        def pull_back(w: Any) -> tuple[Any, Any, Any]:
            cotangent = torch.from_numpy(np.array(w))
            inputs = (module.weight, module.bias, rows)
            gradients = torch.autograd.grad(y, inputs, cotangent, retain_graph=True)
            of_gamma, of_beta, of_x = (gradient.numpy() for gradient in gradients)
            return of_gamma, of_beta, of_x

        return pull_back

    def through_statistics(self, of_mean: Any, of_var: Any) -> Any:
        """Return the gradient with respect to x, (N, D): 0 for running statistics without a graph.

        Args:
            of_mean: The cotangent of the running mean after the call, (D,).
            of_var: The cotangent of the running variance after the call, (D,).
        """
        _, rows = self._forward()
        pairs = ((self.layer.module.running_mean, of_mean), (self.layer.module.running_var, of_var))
        with_graph = [(a, torch.from_numpy(np.array(w))) for a, w in pairs if a.requires_grad]
        if not with_graph:
            return np.zeros(rows.shape, np.float32)
        averages, weights = zip(*with_graph, strict=True)
        return torch.autograd.grad(averages, rows, weights)[0].numpy()

    def _forward(self) -> tuple[Any, Any]:
        """Call the module; return y and the input as a leaf of its graph."""
        self.layer.module.train(not self.evaluate)
        rows = torch.from_numpy(np.array(self.x)).requires_grad_()
        return self.layer.forward(rows), rows


def build(config: Config, spatial: int) -> TorchLayer:
    """Return BatchNorm1d for rows, or BatchNorm2d for images of one pixel if ``spatial`` is 2."""
    module = torch.nn.BatchNorm2d if spatial == 2 else torch.nn.BatchNorm1d
    layer = module(config.features, eps=config.eps, momentum=1 - config.momentum)
    return TorchLayer(layer, spatial)
