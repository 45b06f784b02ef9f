"""Operations on modelled layers, in NumPy: copies, transforms, gradients and training steps.

A mistake in NumPy is judged by requirements on programs of JAX as well: what is compiled computes
what is called, and a stack of layers is one layer after another. Gradients are differences of
calls in float64, or those of the modelled backward pass if that is where the mistake is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.catalogue import OPERATIONS
from conformance.adapters.operations.executor import LocalExecutor, find_function
from conformance.adapters.operations.forms import NUMPY_FORMS
from conformance.adapters.operations.values import Impossible, Live
from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS
from conformance.diagnosis import modelled_domain
from conformance.diagnosis.modelled_layer import ModelledLayer
from conformance.numerics.state import Float32

_MOST = 200
"""The most numbers of a batch for which a call is differentiated."""


@dataclass(frozen=True, slots=True)
class _OnDevice:
    """What takes the place of a JAX array: no array of NumPy, but as good as one."""

    contents: np.ndarray[Any, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        shape: tuple[int, ...] = self.contents.shape
        return shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.contents, dtype, copy=copy)


_FORMS = {**NUMPY_FORMS, "jnp.asarray": _OnDevice}


@dataclass(frozen=True, slots=True)
class _Stack:
    """Layers side by side, read as one."""

    layers: list[ModelledLayer]

    def read(self) -> dict[str, Any]:
        """Return the arrays, (L, D) each."""
        found = [layer.read() for layer in self.layers]
        return {name: np.stack([each[name] for each in found]) for name in ARRAYS}


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a layer in its state of now, to be differentiated."""

    layer: ModelledLayer
    x: Any
    flag: bool

    def gradients(self, w: Any) -> list[Float32]:
        """Return the gradients of Σ w·y for gamma and beta, (D,), and x, (N, D)."""
        found = self.layer.differentiate(self.x, w, self.flag)
        with np.errstate(over="ignore"):
            return [gradient.astype(np.float32) for gradient in found]


def _stacked(layers: list[ModelledLayer], xs: Any, flag: bool) -> Any:
    return np.stack([layer(x, flag) for layer, x in zip(layers, xs, strict=True)])


def _call_pure(layer: ModelledLayer, x: Any, flag: bool) -> list[Any]:
    after = deepcopy(layer)
    return [after(x, flag), Live(after)]


def _call_stacked(layers: list[ModelledLayer], xs: Any, flag: bool) -> list[Any]:
    copies = deepcopy(layers)
    return [_stacked(copies, xs, flag), Live(_Stack(copies))]


def _train_lanes(layer: ModelledLayer, xs: Any) -> list[Any]:
    copies = [deepcopy(layer) for _ in xs]
    return [_stacked(copies, xs, False), [Live(each) for each in copies]]


def _differentiate_loss(layer: ModelledLayer, x: Any, w: Any, eagerly: bool) -> dict[str, Any]:
    gamma, beta, _ = _Call(deepcopy(layer), x, False).gradients(w)
    for _ in range(layer.updates(x, compiled=not eagerly)):
        layer(x, False)
    return {"leaves": [[name] for name in sorted(PARAMETERS)], "gamma": gamma, "beta": beta}


def _rematerialized(layer: ModelledLayer, x: Any, w: Any) -> dict[str, Any]:
    found = _differentiate_loss(layer, x, w, False)
    return {name: found[name] for name in PARAMETERS}


def _descend(layer: ModelledLayer, gradients: list[Float32], rate: float, decay: float) -> None:
    arrays = layer.read()
    for name, gradient in zip(PARAMETERS, gradients, strict=False):
        descent = gradient + np.float32(decay) * arrays[name]
        layer.write({name: (arrays[name] - np.float32(rate) * descent).astype(np.float32)})


def _step(layer: ModelledLayer, x: Any, w: Any, rate: float, decay: float) -> None:
    gradients = _Call(deepcopy(layer), x, False).gradients(w)
    layer(x, False)
    _descend(layer, gradients, rate, decay)


def _step_of_two(
    first: ModelledLayer,
    second: ModelledLayer,
    batches: list[Any],
    cotangents: list[Any],
    rate: float,
    decay: float,
) -> None:
    (x, following), (w, other) = batches, cotangents
    of_first: list[Any] = []
    for batch, cotangent in ((x, w), (following, other)):
        of_first.append(_Call(deepcopy(first), batch, False).gradients(cotangent))
        first(batch, False)
    of_second = _Call(deepcopy(second), following, False).gradients(w)
    second(following, False)
    _descend(first, [a + b for a, b in zip(*of_first, strict=True)][:2], rate, decay)
    _descend(second, of_second[:2], rate, decay)


def _train_twice(layer: ModelledLayer, x: Any) -> Any:
    y = layer(x, False)
    layer(y, False)
    return y


def _write_from(layer: ModelledLayer, source: ModelledLayer, names: list[str]) -> None:
    arrays = source.read()
    layer.write({name: arrays[name] for name in names if name in arrays})


def _compiled(layer: ModelledLayer, x: Any, flag: bool) -> Any:
    return layer(np.asarray(x), flag, compiled=True)


_LEAVES = {"all": ARRAYS, "parameters": PARAMETERS, "others": STATISTICS}


def _list_leaked_tracers(layer: ModelledLayer, x: Any) -> list[Any]:
    for flag in (False, True):
        _compiled(layer, x, flag)
    return []


def _train_donated(layer: ModelledLayer, x: Any) -> None:
    _compiled(layer, x, False)


def _prepare(layer: ModelledLayer, x: Any, flag: bool) -> Live | Impossible:
    if np.size(x) > _MOST:
        return Impossible(f"a batch of {np.size(x)} numbers is not differentiated by differences")
    return Live(_Call(deepcopy(layer), x, flag))


def _run_forward(layer: ModelledLayer, x: Any, flag: bool) -> Live | Impossible:
    prepared = _prepare(layer, x, flag)
    return prepared if isinstance(prepared, Impossible) else Live(prepared.value.gradients)


def _through_statistics(layer: ModelledLayer, x: Any, of_mean: Any, of_var: Any) -> Float32:
    return layer.differentiate_statistics(x, of_mean, of_var).astype(np.float32)


_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "call_jitted": _compiled,
    "call_jitted_live": lambda layer, x, flag: Live(_compiled(layer, x, flag)),
    "compile_anew": lambda layer: Live(lambda x, flag: _compiled(layer, x, flag)),
    "call_program": lambda program, x, flag: program(x, flag),
    "call_pure": _call_pure,
    "call_stacked": _call_stacked,
    "train_lanes": _train_lanes,
    "evaluate_lanes": lambda layer, xs: [_stacked([deepcopy(layer) for _ in xs], xs, True)],
    "train_scanned": lambda layer, xs: _stacked([layer] * len(xs), xs, False),
    "differentiate_rematerialized": _rematerialized,
    "train_twice": _train_twice,
    "prepare_call": _prepare,
    "gradients": lambda call, w: call.gradients(w),
    "pull_back": lambda call, w: call.gradients(w),
    "run_forward": _run_forward,
    "run_backward": lambda pullback, w: pullback(w),
    "gradient_through_statistics": _through_statistics,
    "copy_by": lambda layer, _way: Live(deepcopy(layer)),
    "restore_through": lambda layer, _fresh, _way: Live(deepcopy(layer)),
    "restore_checkpoint": lambda layer, fresh: fresh.write(layer.read()),
    "update_from": _write_from,
    "set_mode": lambda layer, evaluate: layer.set_mode(evaluate),
    "train_and_evaluate_jitted": lambda layer, x: [
        _compiled(layer, x, False),
        _compiled(layer, x, True),
    ],
    "train_donated": _train_donated,
    "paths": lambda _layer: {name: [name] for name in ARRAYS},
    "list_leaves": lambda _layer, selected: [[name] for name in _LEAVES[selected]],
    "read_leaves": lambda layer: [[[name], array] for name, array in layer.read().items()],
    "list_leaked_tracers": _list_leaked_tracers,
    "differentiate_loss": _differentiate_loss,
    "step": _step,
    "build_with": modelled_domain.build_with,
    "set_arrays": modelled_domain.set_arrays,
    "read_arrays": modelled_domain.read_arrays,
    "run_program": modelled_domain.run_program,
    "step_of_two": _step_of_two,
}


_OF_ANY_LAYER = ("layer_calls", "adapter_facts")


def _find(name: str) -> tuple[Callable[..., Any], bool]:
    if OPERATIONS[name] in _OF_ANY_LAYER:
        return find_function(name)
    if name in _OPERATIONS:
        return _OPERATIONS[name], name == "build_with"
    return lambda *_: Impossible(f"{name} is nothing that a layer in NumPy can do"), False


def executor_of(model: Implementation) -> LocalExecutor:
    """Return what executes operations on a modelled layer, without JAX.

    Args:
        model: An implementation whose layers are ``ModelledLayer``.
    """
    return LocalExecutor(model, _FORMS, _find)
