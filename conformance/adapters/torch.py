"""Drives classes of PyTorch, among them its own BatchNorm1d and BatchNorm2d."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import torch
from torch.autograd import forward_ad

from conformance.adapters.calling import Calling, Layout
from conformance.adapters.framework_class import BY_METHODS, FrameworkClass
from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS, Config
from conformance.adapters.trees import locate, neutral_arrays


@dataclass(frozen=True, slots=True)
class TorchLayer:
    """A module, how it is called, and where its tensors are.

    Attributes:
        module: The module. Evaluation calls are made without gradients, as users make them.
        calling: How it is called.
        paths: Dotted names of its tensors, by the names in ``ARRAYS``.
        features: D.
    """

    module: Any
    calling: Calling
    paths: Mapping[str, str]
    features: int

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        with torch.set_grad_enabled(not use_running_average):
            y = self.forward(torch.from_numpy(np.array(x)), use_running_average)
        return y.detach().numpy()

    def forward(self, rows: Any, use_running_average: Any) -> Any:
        """Return y of a tensor (N, D), with its autograd graph."""
        layout = self.calling.layout
        native = replace(layout, first=False).spread(rows)
        native = native.movedim(-1, 1) if layout.first and native.ndim > 1 else native
        y = self.calling.native(self.module, native, use_running_average)
        if y.shape != native.shape:
            return y
        return (y.movedim(1, -1) if layout.first else y).reshape(rows.shape)

    def tensor(self, array: str) -> Any:
        """Return the tensor with an array, which a training call may replace by another."""
        *owners, name = self.paths[array].split(".")
        return getattr(self.module.get_submodule(".".join(owners)), name)

    def make_dual(self, array: str, tangent: Any) -> None:
        """Replace a parameter by a dual tensor, with a tangent of (D,); no optimizer sees it."""
        *owners, name = self.paths[array].split(".")
        owner = self.module.get_submodule(".".join(owners))
        plain = forward_ad.unpack_dual(getattr(owner, name)).primal.detach()
        owner._parameters.pop(name, None)
        setattr(owner, name, forward_ad.make_dual(plain, tangent.reshape(plain.shape)))

    def as_rows(self, array: Any) -> Any:
        """Return an array as (D,), if it has that many numbers."""
        return array.reshape(-1) if array.numel() == self.features else array

    def read(self) -> dict[str, Any]:
        own = {n: self.as_rows(self.tensor(n).detach()).numpy().copy() for n in self.paths}
        return neutral_arrays(set(ARRAYS) - set(own), self.features) | own

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        with torch.no_grad():
            for name in values.keys() & self.paths.keys():
                tensor, value = self.tensor(name), values[name]
                tensor.copy_(torch.from_numpy(np.array(value)).reshape(tensor.shape))

    def call(self, x: Any, *, evaluate: bool) -> TorchCall:
        """Return the call on x, (N, D), of a copy of the module, for torch.autograd."""
        tensors = [self.tensor(name) for name in STATISTICS if name in self.paths]
        copies = {id(each): each.detach().clone() for each in tensors if each.grad_fn is not None}
        return TorchCall(replace(self, module=deepcopy(self.module, copies)), x, evaluate)


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
        inputs = {n: self.layer.tensor(n) for n in PARAMETERS if n in self.layer.paths}

        def pull_back(w: Any) -> tuple[Any, Any, Any]:
            cotangent = torch.from_numpy(np.array(w))
            leaves = [*inputs.values(), rows]
            gradients = torch.autograd.grad(y, leaves, cotangent, retain_graph=True)
            *of_parameters, of_x = gradients
            flat = (self.layer.as_rows(each).numpy() for each in of_parameters)
            found = dict(zip(inputs, flat, strict=True))
            zeros = np.zeros(self.layer.features, np.float32)
            of_gamma, of_beta = (found.get(name, zeros) for name in PARAMETERS)
            return of_gamma, of_beta, of_x.numpy()

        return pull_back

    def through_statistics(self, of_mean: Any, of_var: Any) -> Any:
        """Return the gradient with respect to x, (N, D): 0 for running statistics without a graph.

        Args:
            of_mean: The cotangent of the running mean after the call, (D,).
            of_var: The cotangent of the running variance after the call, (D,).
        """
        _, rows = self._forward()
        pairs = dict(zip(STATISTICS, (of_mean, of_var), strict=True))
        own = [
            (self.layer.tensor(name), w) for name, w in pairs.items() if name in self.layer.paths
        ]
        after = [(self.layer.as_rows(tensor), w) for tensor, w in own]
        with_graph = [(a, torch.from_numpy(np.array(w))) for a, w in after if a.requires_grad]
        if not with_graph:
            return np.zeros(rows.shape, np.float32)
        averages, weights = zip(*with_graph, strict=True)
        return torch.autograd.grad(averages, rows, weights)[0].numpy()

    def move_along(self, along: tuple[Any, Any, Any]) -> Any:
        """Return the derivative of y along tangents of gamma, beta and x, by dual tensors."""
        *of_parameters, of_x = (torch.from_numpy(np.array(each)) for each in along)
        with forward_ad.dual_level():
            for name, tangent in zip(PARAMETERS, of_parameters, strict=True):
                if name in self.layer.paths:
                    self.layer.make_dual(name, tangent)
            rows = forward_ad.make_dual(torch.from_numpy(np.array(self.x)), of_x)
            y = forward_ad.unpack_dual(self.layer.forward(rows, self.evaluate))
            moved = torch.zeros_like(y.primal) if y.tangent is None else y.tangent
            return moved.detach().numpy().copy()

    def move_linearly(self, several: Sequence[tuple[Any, Any, Any]]) -> list[Any]:
        """Return what ``move_along`` does for several tangents."""
        return [self.move_along(along) for along in several]

    def differentiate_gradient(self, w: Any, t: Any, *, forward_mode: bool) -> tuple[Any, Any, Any]:
        """Return the derivatives of Σ t·dx for gamma, x and w, by the graph of the gradient.

        Args:
            w: The cotangent of y, (N, D).
            t: The cotangent of dx, (N, D).
            forward_mode: False; the backward pass of PyTorch has no forward mode.
        """
        assert not forward_mode, "gated by the capabilities"  # noqa: S101
        y, rows = self._forward()
        cotangent = torch.from_numpy(np.array(w)).requires_grad_()
        of_x = torch.autograd.grad(y, rows, cotangent, create_graph=True)[0]
        leaves = [rows, cotangent]
        if "gamma" in self.layer.paths:
            leaves.append(self.layer.tensor("gamma"))
        pulled = (of_x * torch.from_numpy(np.array(t))).sum()
        found = torch.autograd.grad(pulled, leaves, allow_unused=True)
        second, of_w, *rest = (
            np.zeros(leaf.shape, np.float32) if each is None else each.numpy()
            for each, leaf in zip(found, leaves, strict=True)
        )
        zeros = np.zeros(self.layer.features, np.float32)
        return rest[0].reshape(-1) if rest else zeros, second, of_w

    def _forward(self) -> tuple[Any, Any]:
        """Call the module; return y and the input as a leaf of its graph."""
        rows = torch.from_numpy(np.array(self.x)).requires_grad_()
        return self.layer.forward(rows, self.evaluate), rows


def build(config: Config, images: bool) -> TorchLayer:
    """Return BatchNorm1d for rows, or BatchNorm2d for images."""
    return build_class(_OWN[images], config)


def build_class(described: FrameworkClass, config: Config) -> TorchLayer:
    """Return a layer of a class."""
    arguments = described.arguments_for(config.features, config.momentum, config.eps)
    torch.manual_seed(config.seed)
    module = described.make(**arguments)
    paths = _paths(module, described, config.features)
    return TorchLayer(module, described.calling, paths, config.features)


def _own(make: Any, layout: Layout) -> FrameworkClass:
    return FrameworkClass(
        make=make,
        keywords={"features": "num_features", "momentum": "momentum", "eps": "eps"},
        calling=Calling(flag=BY_METHODS, layout=layout),
        momentum_of_new=True,
    )


_OWN = {
    False: _own(torch.nn.BatchNorm1d, Layout()),
    True: _own(torch.nn.BatchNorm2d, Layout(ndim=4, first=True)),
}


def _paths(module: Any, described: FrameworkClass, features: int) -> dict[str, str]:
    """Return the dotted names of the tensors with the arrays."""
    trained = {name: each.detach().numpy() for name, each in module.named_parameters()}
    others = {
        f"{prefix}.{name}".removeprefix("."): value.detach().numpy()
        for prefix, owner in module.named_modules()
        for name, value in {**vars(owner), **dict(owner.named_buffers(recurse=False))}.items()
        if isinstance(value, torch.Tensor)
    }
    tree = {"params": trained, "state": others}
    flat = [path for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]
    found = locate(tree, described.names, features).indices
    return {array: flat[index][-1].key for array, index in found.items()}
