"""Faults that show when the layer is compiled, or compiles itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("concretizes-under-jit", "BN-JIT-1", "BN-JIT-3", raises=True)
class ConcretizesUnderJit(StepwiseBatchNorm):
    """A Python branch asks for the value of the variance, which jit does not have."""

    def inverse_std(self, var: Array) -> Array:
        if float(var[0]) < 0:
            return jnp.zeros_like(var)
        return super().inverse_std(var)


@fault(
    "jit-uses-global-mean",
    "BN-JIT-1",
    "BN-JIT-4",
    "BN-JIT-6",
    "BN-VMAP-1",
    diagnosed="both-axes@compiled",
)
class GlobalMeanUnderJit(StepwiseBatchNorm):
    """The compiled path subtracts one mean for all features."""

    def batch_mean(self, x: Any) -> Array:
        mean = super().batch_mean(x)
        if isinstance(mean, jax.core.Tracer):
            return jnp.full_like(mean, jnp.mean(mean))
        return mean


@fault("jit-drops-update", "BN-JIT-2", "BN-JIT-6", diagnosed="never-stored@compiled")
class UpdateDroppedUnderJit(StepwiseBatchNorm):
    """Under jit the running statistics are not written."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if not isinstance(mean, jax.core.Tracer):
            super().update(x, mean, var)


@fault("gamma-missing-under-jit", "BN-JIT-1", "BN-VMAP-1", diagnosed="gamma-unused@compiled")
class GammaMissingUnderJit(StepwiseBatchNorm):
    """The compiled path leaves out gamma."""

    def affine(self, z: Array) -> Array:
        return z + self.beta[...] if isinstance(z, jax.core.Tracer) else super().affine(z)


@fault("evaluation-updates-under-jit", "BN-JIT-3", diagnosed="evaluation-updates@compiled")
class EvaluationUpdatesUnderJit(StepwiseBatchNorm):
    """Compiled evaluation moves the running statistics."""

    def evaluate(self, x: Any) -> Any:
        y = super().evaluate(x)
        if isinstance(y, jax.core.Tracer):
            self.update(x, *self.statistics(x))
        return y


_PROGRAMS: dict[tuple[int, ...], Callable[..., Array]] = {}


@fault("compiled-by-shape", "BN-EPS-1", "BN-INIT-8", "BN-IND-2")
class CompiledByShape(StepwiseBatchNorm):
    """The layer's own compiled program is kept by shape, with the eps of the first layer in it."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        if x.shape not in _PROGRAMS:
            eps = self.eps
            _PROGRAMS[x.shape] = jax.jit(lambda x, mean, var: (x - mean) / jnp.sqrt(var + eps))
        return _PROGRAMS[x.shape](x, mean, var)


@fault(
    "evaluation-drifts-under-jit", "BN-JIT-1", "BN-VMAP-1", diagnosed="evaluation-adds-eps@compiled"
)
class EvaluationDriftsUnderJit(StepwiseBatchNorm):
    """Compiled evaluation writes the running variance back with eps in it."""

    def evaluate(self, x: Any) -> Any:
        y = super().evaluate(x)
        if isinstance(y, jax.core.Tracer):
            self.running_var[...] = self.running_var[...] + self.eps
        return y


@fault("eager-tail-of-128", "BN-SHAPE-1", diagnosed="tail-left-out-of-mean")
class EagerTailOf128(StepwiseBatchNorm):
    """Outside jit, rows beyond the last full block of 128 do not count for the mean."""

    def batch_mean(self, x: Any) -> Array:
        if isinstance(x, jax.core.Tracer) or x.shape[0] < 128:
            return super().batch_mean(x)
        return super().batch_mean(x[: x.shape[0] // 128 * 128])


@fault("beta-moves-under-jit", "BN-JIT-1")
class BetaMovesUnderJit(StepwiseBatchNorm):
    """Compiled training writes the batch mean into beta, a parameter."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        if isinstance(mean, jax.core.Tracer):
            self.beta[...] = self.beta[...] + 1e-3 * mean
