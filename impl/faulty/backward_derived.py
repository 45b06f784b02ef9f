"""Faults in what JAX derives from the layer, and in what happens while it does."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm

# Gradients stopped, or infinite


@fault("gain-stopped", "BN-GRAD-2", "BN-GRAD-6", "BN-GRAD-7", source="paiml/trueno#178")
class GainStopped(StepwiseBatchNorm):
    """gamma is used behind stop_gradient, and never learns."""

    def affine(self, z: Array) -> Array:
        return jax.lax.stop_gradient(self.gamma[...]) * z + self.beta[...]


@fault("offset-stopped", "BN-GRAD-1", "BN-GRAD-6", "BN-GRAD-7")
class OffsetStopped(StepwiseBatchNorm):
    """beta is used behind stop_gradient, and never learns."""

    def affine(self, z: Array) -> Array:
        return self.gamma[...] * z + jax.lax.stop_gradient(self.beta[...])


@fault("input-stopped", "BN-GRAD-3", "BN-GRAD-4")
class InputStopped(StepwiseBatchNorm):
    """The input is used behind stop_gradient, so layers before this one never learn."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return super().__call__(jax.lax.stop_gradient(x), use_running_average)


@fault("statistics-stopped", "BN-GRAD-3", "BN-GRAD-5")
class StatisticsStopped(StepwiseBatchNorm):
    """stop_gradient is applied to the statistics that normalise, not to those that are stored."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        mean, var = super().statistics(x)
        return jax.lax.stop_gradient(mean), jax.lax.stop_gradient(var)


@fault("variance-stopped", "BN-GRAD-3", diagnosed="backward-without-projection")
class VarianceStopped(StepwiseBatchNorm):
    """Only the mean is differentiated."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        return jax.lax.stop_gradient(super().batch_var(x, mean))


@fault(
    "root-of-the-variance",
    "BN-GRAD-3",
    "BN-GRAD-5",
    diagnosed=("root-of-the-variance", "root-of-the-variance@training"),
)
class RootOfTheVariance(StepwiseBatchNorm):
    """1/√(σ²+ε) with σ = √v: the derivative of √v at 0 is infinite."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(jnp.square(jnp.sqrt(var)) + self.eps)


# Around nnx.grad


def is_differentiated(value: Any) -> bool:
    """Return whether a value is traced for a derivative."""
    return type(value).__name__ in {"JVPTracer", "LinearizeTracer", "GradTracer"}


@fault("update-lost-under-grad", "BN-GRAD-6", "BN-GRAD-7", source="ml-explore/mlx#1960")
class UpdateLostUnderGrad(StepwiseBatchNorm):
    """Where gamma is being differentiated the running statistics are not written."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if not is_differentiated(self.gamma[...]):
            super().update(x, mean, var)


@fault("update-doubled-under-grad", "BN-GRAD-6", "BN-GRAD-7", source="pytorch/pytorch#96136")
class UpdateDoubledUnderGrad(StepwiseBatchNorm):
    """The forward pass is run again for the backward pass, and updates again."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        if is_differentiated(self.gamma[...]):
            super().update(x, mean, var)


def _is_eager_gradient(gamma: Array, mean: Array) -> bool:
    """Return whether gamma is being differentiated while the batch is known."""
    return is_differentiated(gamma) and not isinstance(mean, jax.core.Tracer)


@fault("update-lost-in-eager-gradients", "BN-GRAD-6", diagnosed="update-lost-under-grad@eager")
class UpdateLostInEagerGradients(StepwiseBatchNorm):
    """An uncompiled gradient is taken for a test, and does not move the statistics."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if not _is_eager_gradient(self.gamma[...], mean):
            super().update(x, mean, var)


@fault(
    "update-doubled-in-eager-gradients", "BN-GRAD-6", diagnosed="update-doubled-under-grad@eager"
)
class UpdateDoubledInEagerGradients(StepwiseBatchNorm):
    """An uncompiled gradient runs the forward pass again, and updates again."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        if _is_eager_gradient(self.gamma[...], mean):
            super().update(x, mean, var)


@fault("variance-is-param", "BN-STATE-2", "BN-GRAD-6", "BN-GRAD-7")
class VarianceIsParam(StepwiseBatchNorm):
    """The running variance is nnx.Param, and weight decay pulls it to zero."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_var = nnx.Param(self.start_var(d))


@fault("gain-left-to-no-optimizer", "BN-STATE-1", "BN-GRAD-6", "BN-GRAD-7")
class GainLeftToNoOptimizer(StepwiseBatchNorm):
    """gamma is an nnx.BatchStat, so no gradient is taken with respect to it."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.gamma = nnx.BatchStat(self.start_gamma(d, rngs))


@fault("statistics-carry-gradient", "BN-GRAD-8", source="bayesiains/nflows#10")
class StatisticsCarryGradient(StepwiseBatchNorm):
    """What is stored is not behind stop_gradient."""

    def moved(self, old: Array, new: Array) -> Array:
        return self.momentum * old + (1 - self.momentum) * new


@fault("stored-variance-carries-gradient", "BN-GRAD-8")
class StoredVarianceCarriesGradient(StepwiseBatchNorm):
    """Only the stored mean is behind stop_gradient."""

    def moved_var(self, old: Array, new: Array) -> Array:
        return self.momentum * old + (1 - self.momentum) * new
