"""Faults in which something of an earlier call is left over: inputs, outputs, other layers."""

from __future__ import annotations

from collections import deque
from typing import Any
from weakref import ref

import jax
import numpy as np
import numpy.typing as npt
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm

_STATISTICS: deque[tuple[Any, tuple[Array, Array]]] = deque(maxlen=8)


@fault("statistics-by-array-object", "BN-SEQ-1")
class StatisticsByArrayObject(StepwiseBatchNorm):
    """The statistics of an array object are cached, even if its contents have changed."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        for array, found in _STATISTICS:
            if array is x:
                return found
        found = super().statistics(x)
        if isinstance(x, np.ndarray) and not isinstance(found[0], jax.core.Tracer):
            _STATISTICS.append((x, found))
        return found


_OUTPUTS: deque[tuple[Any, tuple[Any, ...], Any]] = deque(maxlen=8)


@fault("output-by-array-object", "BN-SEQ-1")
class OutputByArrayObject(StepwiseBatchNorm):
    """An evaluation of the same array object in the same state returns the earlier result."""

    def evaluate(self, x: Any) -> Any:
        stored = (self.gamma, self.beta, self.running_mean, self.running_var)
        arrays = tuple(variable[...] for variable in stored)
        for array, state, y in _OUTPUTS:
            if array is x and all(a is b for a, b in zip(state, arrays, strict=True)):
                return y
        y = super().evaluate(x)
        if isinstance(x, np.ndarray) and not isinstance(y, jax.core.Tracer):
            _OUTPUTS.append((x, arrays, y))
        return y


_RINGS: dict[tuple[int, ...], deque[npt.NDArray[np.float32]]] = {}


@fault("ring-of-six-outputs", "BN-SEQ-1")
class RingOfSixOutputs(StepwiseBatchNorm):
    """Results are written into six buffers per shape, which take turns."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        y = super().__call__(x, use_running_average)
        if isinstance(y, jax.core.Tracer):
            return y
        ring = _RINGS.setdefault(
            y.shape, deque([np.empty(y.shape, np.float32) for _ in range(6)], maxlen=6)
        )
        ring.rotate(1)
        ring[0][...] = y
        return ring[0]


def _same_width(one: Any, two: Any) -> bool:
    return bool(one.gamma[...].shape == two.gamma[...].shape)


@fault("interleaved-layers", "BN-SEQ-1")
class InterleavedLayers(StepwiseBatchNorm):
    """One slot holds the mean of the layer that trained last, and the next layer reads it."""

    last: Any = None
    turns = 0

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if isinstance(mean, jax.core.Tracer):
            super().update(x, mean, var)
            return
        kind = InterleavedLayers
        previous: Any = kind.last() if kind.last is not None else None
        changed = previous is not None and previous is not self
        kind.turns = kind.turns + 1 if changed else 0
        if kind.turns > 2 and _same_width(previous, self):
            self.running_mean[...] = previous.running_mean[...]
        super().update(x, mean, var)
        kind.last = ref(self)


class _Noticing(nnx.Variable[Any]):
    __slots__ = ("written",)

    def set_value(self, value: Any, **rest: Any) -> None:
        super().set_value(value, **rest)
        object.__setattr__(self, "written", self.get_value())

    def replaced(self) -> bool:
        """Whether there is another array than the one that was written last."""
        try:
            written = object.__getattribute__(self, "written")
        except AttributeError:
            return False
        return written is not self.get_value()


@fault("eager-after-jit", "BN-SEQ-1", "BN-JIT-5")
class EagerAfterJit(StepwiseBatchNorm):
    """The first eager update of the running mean after a jitted call is lost."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean = _Noticing(self.start_mean(d))

    def update(self, x: Any, mean: Array, var: Array) -> None:
        lost = not isinstance(mean, jax.core.Tracer) and self.running_mean.replaced()
        stored = self.running_mean[...]
        super().update(x, mean, var)
        if lost:
            self.running_mean[...] = stored
