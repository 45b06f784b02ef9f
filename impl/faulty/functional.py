"""Faulty pure layers: right operation by operation, wrong under a transform of JAX."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from conformance.adapters.protocols import Config
from conformance.adapters.pure import Arrays, PureLayer
from impl.faulty.lanes import averaged
from impl.faulty.record import fault
from impl.functional import FunctionalBatchNorm
from impl.stepwise import Array


@fault("functional-state-baked-in", "BN-JIT-2", "BN-JIT-4", "BN-VMAP-1", "BN-SCAN-1")
class StateBakedIn(FunctionalBatchNorm):
    """The arrays come from the layer that the function was made for, not from its argument."""

    @classmethod
    def layer(cls, config: Config) -> PureLayer:
        made = super().layer(config)
        right = made.pure

        def pure(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
            del arrays
            return right(made.arrays, x, use_running_average)

        made.pure = pure
        return made


def _traced(value: Any) -> bool:
    return isinstance(value, jax.core.Tracer)


@fault("functional-update-lost-under-jit", "BN-JIT-1", "BN-JIT-2", "BN-SCAN-1")
class UpdateLostUnderJit(FunctionalBatchNorm):
    """A traced call returns the running statistics that it was given."""

    def updated(self, arrays: Arrays, mean: Array, var: Array) -> Arrays:
        return arrays if _traced(mean) else super().updated(arrays, mean, var)


@fault("functional-lanes-share-the-mean", "BN-VMAP-1", "BN-VMAP-2")
class LanesShareTheMean(FunctionalBatchNorm):
    """The batching rule of the mean averages over the lanes, too."""

    def batch_mean(self, x: Any) -> Array:
        return averaged(x)


@fault("functional-mean-stopped", "BN-GRAD-3", diagnosed="backward-without-centring")
class MeanStopped(FunctionalBatchNorm):
    """The batch mean is a constant for the backward pass."""

    def batch_mean(self, x: Any) -> Array:
        return jax.lax.stop_gradient(super().batch_mean(x))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _fused(momentum: float, y: Array, old: Arrays, new: Arrays) -> tuple[Array, Arrays]:
    return y, _averages(momentum, old, new)


def _averages(momentum: float, old: Arrays, new: Arrays) -> Arrays:
    return {name: momentum * old[name] + (1 - momentum) * new[name] for name in old}


def _fused_forward(momentum: float, y: Array, old: Arrays, new: Arrays) -> Any:
    after = _averages(momentum, _averages(momentum, old, new), new)
    return (y, after), (old, new)


def _fused_backward(momentum: float, residuals: Any, pulled: Any) -> Any:
    del momentum
    return pulled[0], *jax.tree.map(jnp.zeros_like, residuals)


_fused.defvjp(_fused_forward, _fused_backward)


@fault("functional-forward-rule-moves-again", "BN-REMAT-1")
class ForwardRuleMovesAgain(FunctionalBatchNorm):
    """The forward rule of a fused training step moves the running statistics once more."""

    def __call__(self, arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        y, after = super().__call__(arrays, x, use_running_average)
        if use_running_average:
            return y, after
        mean = self.batch_mean(x)
        new = {"running_mean": mean, "running_var": jnp.mean(jnp.square(x - mean), axis=0)}
        y, moved = _fused(self.momentum, y, {name: arrays[name] for name in new}, new)
        return y, {**arrays, **moved}


@fault("functional-state-counts-by-its-structure", "BN-JIT-3")
class StateCountsByItsStructure(FunctionalBatchNorm):
    """Each update renames a leaf of the state, so every call compiles another program."""

    def updated(self, arrays: Arrays, mean: Array, var: Array) -> Arrays:
        after = super().updated(arrays, mean, var)
        calls = next((name for name in arrays if name.startswith("calls")), "calls0")
        rest = {name: value for name, value in after.items() if name != calls}
        return {**rest, f"calls{int(calls.removeprefix('calls')) + 1}": jnp.zeros(())}


@fault("functional-one-update-per-program", "BN-SHARED-1")
@dataclass(frozen=True, eq=False)
class OneUpdatePerProgram(FunctionalBatchNorm):
    """Within one traced pass the statistics are moved at the first use only."""

    memory: dict[str, Any] = field(default_factory=dict)

    def updated(self, arrays: Arrays, mean: Array, var: Array) -> Arrays:
        if _traced(mean):
            here = jax.core.get_opaque_trace_state()
            if self.memory.get("pass") == here:
                return arrays
            self.memory["pass"] = here
        return super().updated(arrays, mean, var)
