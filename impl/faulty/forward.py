"""Faulty forward functions: f(seed, x, use_running_average)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from impl.batchnorm import MyBatchNorm
from impl.faulty.record import fault


def _applied(x: Any, evaluate: bool, seed: int = 0, eps: float = 1e-5) -> Any:
    batch = jnp.asarray(x)
    layer = MyBatchNorm(batch.shape[1], momentum=0.9, eps=eps, rngs=nnx.Rngs(seed))
    return layer(batch, evaluate)


@fault("flag-truthy", "BN-FLAG-2")
def flag_truthy(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag is taken as a truth value, so 0.3 evaluates."""
    return _applied(x, bool(use_running_average), int(seed)).reshape(-1)


@fault("flag-rounded", "BN-FLAG-2")
def flag_rounded(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag is rounded to even, so 0.5 trains."""
    flag = float(use_running_average)
    return _applied(x, bool(np.round(flag) == 1) or flag > 1.5, int(seed)).reshape(-1)


@fault("flag-not-below", "BN-FLAG-2")
def flag_not_below(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag evaluates unless it is below one half, so NaN evaluates."""
    return _applied(x, not use_running_average < 0.5, int(seed)).reshape(-1)


@fault("flag-is-bool", "BN-FLAG-1", "BN-FWD-3")
def flag_is_bool(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Only the object True evaluates."""
    return _applied(x, use_running_average is True, int(seed)).reshape(-1)


@fault("flag-inverted", "BN-FLAG-1", "BN-FWD-2", "BN-FWD-3")
def flag_inverted(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag is read as 'training'."""
    return _applied(x, not use_running_average >= 0.5, int(seed)).reshape(-1)


@fault("not-flat", "BN-FWD-1")
def not_flat(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The result keeps the shape of the input."""
    return _applied(x, bool(use_running_average >= 0.5), int(seed))


@fault("column-major", "BN-FWD-1")
def column_major(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The result is flattened feature by feature."""
    return _applied(x, bool(use_running_average >= 0.5), int(seed)).T.reshape(-1)


@fault("forward-eps", "BN-FWD-2", "BN-FWD-3")
def forward_eps(seed: Any, x: Any, use_running_average: Any) -> Any:
    """eps is 1e-3, the default of another framework."""
    return _applied(x, bool(use_running_average >= 0.5), int(seed), eps=1e-3).reshape(-1)


@fault("float-seed", "BN-FWD-4")
def float_seed(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The seed is passed on without the cast."""
    return _applied(x, bool(use_running_average >= 0.5), seed if seed else 0).reshape(-1)


_LAYERS: dict[int, MyBatchNorm] = {}


@fault("layer-cached", "BN-FWD-5", "BN-FWD-3")
def layer_cached(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The layer is cached by width, so training shows in later evaluations."""
    batch = jnp.asarray(x)
    width = batch.shape[1]
    if width not in _LAYERS:
        _LAYERS[width] = MyBatchNorm(width, 0.9, 1e-5, nnx.Rngs(int(seed)))
    return _LAYERS[width](batch, bool(use_running_average >= 0.5)).reshape(-1)


@fault("forward-in-place", "BN-FWD-5")
def forward_in_place(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The input is rounded in place before it is used."""
    if isinstance(x, np.ndarray):
        np.round(x, 2, out=x)
    return _applied(x, bool(use_running_average >= 0.5), int(seed)).reshape(-1)
