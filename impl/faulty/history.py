"""Faults that depend on what happened before: earlier calls, instances, random states."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm

_FIRST_SEEN: dict[tuple[int, ...], Array] = {}


@fault("cached-by-shape", "BN-IND-2", "BN-TRAIN-1")
class CachedByShape(StepwiseBatchNorm):
    """The mean of the first batch of a shape is used for all later ones."""

    def batch_mean(self, x: Any) -> Array:
        mean = super().batch_mean(x)
        if isinstance(mean, jax.core.Tracer):
            return mean
        return _FIRST_SEEN.setdefault(np.shape(x), mean)


@fault("third-call-differs", "BN-IND-2", diagnosed="unbiased-variance@calls>=3")
class ThirdCallDiffers(StepwiseBatchNorm):
    """From the third call on, training uses the unbiased variance."""

    calls = 0

    def batch_var(self, x: Any, mean: Array) -> Array:
        self.calls += 1
        var = super().batch_var(x, mean)
        rows = x.shape[0]
        return var * (rows / (rows - 1)) if self.calls > 2 and rows > 1 else var


@fault("eps-of-the-first", "BN-INIT-8", "BN-EPS-1", diagnosed="eps-hard-coded")
class EpsOfTheFirst(StepwiseBatchNorm):
    """All layers use the eps of the first layer that was built."""

    first: float | None = None

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        if EpsOfTheFirst.first is None:
            EpsOfTheFirst.first = eps
        super().__init__(d, momentum, EpsOfTheFirst.first, rngs)


@fault("global-random-state", "BN-IND-1", "BN-IND-2", diagnosed="varies")
class GlobalRandomState(StepwiseBatchNorm):
    """The batch mean carries noise from the global random state of NumPy."""

    def batch_mean(self, x: Any) -> Array:
        noise = np.random.rand()  # noqa: NPY002  the global state is the mistake
        return super().batch_mean(x) + np.float32(1e-4 * noise)


_BUFFERS: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}


@fault("buffer-reused", "BN-IND-3")
class BufferReused(StepwiseBatchNorm):
    """Results of one shape are written into one buffer."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        y = super().__call__(x, use_running_average)
        if isinstance(y, jax.core.Tracer):
            return y
        buffer = _BUFFERS.setdefault(y.shape, np.empty(y.shape, np.float32))
        buffer[...] = y
        return buffer


@fault("momentum-of-the-last", "BN-IND-2", diagnosed="momentum-hard-coded")
class MomentumOfTheLast(StepwiseBatchNorm):
    """The momentum is stored on the class, so the last instance's applies to all."""

    last = 0.9

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, eps, rngs)
        MomentumOfTheLast.last = momentum

    def moved(self, old: Array, new: Array) -> Array:
        return self.last * old + (1 - self.last) * jax.lax.stop_gradient(new)


@fault("eps-of-the-last", "BN-IND-2", diagnosed="eps-hard-coded")
class EpsOfTheLast(StepwiseBatchNorm):
    """eps is stored on the class, so the last instance's applies to all."""

    last = 1e-5

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, eps, rngs)
        EpsOfTheLast.last = eps

    def inverse_std(self, var: Array) -> Array:
        return jax.lax.rsqrt(var + self.last)


@fault("rows-of-the-first-call", "BN-IND-2")
class RowsOfTheFirstCall(StepwiseBatchNorm):
    """The number of rows is remembered from the first call, and divides all later sums."""

    def batch_mean(self, x: Any) -> Array:
        if not hasattr(self, "rows"):
            self.rows = x.shape[0]
        return jnp.sum(x, axis=0) / self.rows


@fault("container-of-the-first-call", "BN-IND-2")
class ContainerOfTheFirstCall(StepwiseBatchNorm):
    """If the first batch was a JAX array, later NumPy batches are taken as float16."""

    def train_step(self, x: Any) -> Any:
        if not hasattr(self, "first"):
            self.first = type(x)
        if isinstance(x, np.ndarray) and self.first is not np.ndarray:
            x = jnp.asarray(x).astype(jnp.float16).astype(jnp.float32)
        return super().train_step(x)


@fault("eps-of-the-first-width", "BN-INIT-8", "BN-EPS-1")
class EpsOfTheFirstWidth(StepwiseBatchNorm):
    """One eps is kept for each width: that of the first layer of that width."""

    known: dict[int, float] = {}  # noqa: RUF012  the shared table is the mistake

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, self.known.setdefault(d, eps), rngs)
