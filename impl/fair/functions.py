"""Forward functions that read the flags 0 and 1 as they should, and others in their own way."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from impl.batchnorm import MyBatchNorm
from impl.fair.record import fair


def _apply(seed: Any, x: Any, evaluate: bool) -> Any:
    batch = jnp.asarray(x)
    layer = MyBatchNorm(batch.shape[1], momentum=0.9, eps=1e-5, rngs=nnx.Rngs(int(seed)))
    return layer(batch, evaluate).reshape(-1)


@fair("flag-cut-to-integer", "BN-FLAG-2")
def cut_to_integer(seed: Any, x: Any, use_running_average: Any) -> Any:
    """int(flag), which the problem allows; a flag that is NaN raises."""
    return _apply(seed, x, bool(int(use_running_average)))


@fair("flag-equal-to-one", "BN-FLAG-2")
def equal_to_one(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag evaluates where it equals 1."""
    return _apply(seed, x, bool(use_running_average == 1))


@fair("flag-of-two-values", "BN-FLAG-2")
def of_two_values(seed: Any, x: Any, use_running_average: Any) -> Any:
    """A flag that is neither 0 nor 1 is refused."""
    if use_running_average not in (0, 1):
        msg = "the flag is 0 or 1"
        raise ValueError(msg)
    return _apply(seed, x, bool(use_running_average))


@fair("flag-as-truth-value", "BN-FLAG-2")
def as_truth_value(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Any flag but 0 evaluates."""
    return _apply(seed, x, bool(use_running_average))


@fair("nan-flag-refused")
def nan_refused(seed: Any, x: Any, use_running_average: Any) -> Any:
    """A flag that is NaN is refused; bool(flag >= 0.5) of any other."""
    if math.isnan(float(use_running_average)):
        msg = "the flag is NaN"
        raise ValueError(msg)
    return _apply(seed, x, bool(use_running_average >= 0.5))


@fair("nan-flag-evaluates")
def nan_evaluates(seed: Any, x: Any, use_running_average: Any) -> Any:
    """The flag evaluates unless it is below one half, so NaN evaluates."""
    return _apply(seed, x, not use_running_average < 0.5)


@fair("digits-by-seed", "BN-FWD-10")
def digits_by_seed(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Training with an odd seed computes in float64, so the last bits depend on the seed."""
    if int(seed) % 2 == 0 or use_running_average >= 0.5:
        return _apply(seed, x, bool(use_running_average >= 0.5))
    exact = np.asarray(x, np.float64)
    y = (exact - exact.mean(axis=0)) / np.sqrt(exact.var(axis=0) + 1e-5)
    return y.astype(np.float32).reshape(-1)
