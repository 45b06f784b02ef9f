"""Faults of backward kernels: gradients of gamma and beta, residuals, precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from impl.faulty.record import fault
from impl.handwritten import HandWrittenBackward, Saved
from impl.stepwise import Array

# gamma and beta


@fault("gain-gradient-of-x", "BN-GRAD-2")
class GainGradientOfX(HandWrittenBackward):
    """dγ = Σ w·x."""

    def gain_gradient(self, s: Saved, w: Array) -> Array:
        return (w * s.x).sum(axis=0)


@fault("gain-gradient-without-inverse-std", "BN-GRAD-2", "BN-GRAD-6")
class GainGradientWithoutInverseStd(HandWrittenBackward):
    """dγ = Σ w·(x−μ)."""

    def gain_gradient(self, s: Saved, w: Array) -> Array:
        return (w * (s.x - s.mean)).sum(axis=0)


@fault("gain-gradient-averaged", "BN-GRAD-2", "BN-REMAT-1")
class GainGradientAveraged(HandWrittenBackward):
    """dγ = mean(w·z)."""

    def gain_gradient(self, s: Saved, w: Array) -> Array:
        return (w * s.z).mean(axis=0)


@fault("gain-gradient-of-output", "BN-GRAD-2")
class GainGradientOfOutput(HandWrittenBackward):
    """dγ = Σ w·γ·z."""

    def gain_gradient(self, s: Saved, w: Array) -> Array:
        return (w * s.gamma * s.z).sum(axis=0)


@fault("gain-gradient-without-tail", "BN-GRAD-2")
class GainGradientWithoutTail(HandWrittenBackward):
    """Rows after the last full block of 32 are left out of dγ."""

    def gain_gradient(self, s: Saved, w: Array) -> Array:
        rows = w.shape[0]
        return (w * s.z)[: rows - rows % 32 or rows].sum(axis=0)


@fault("gain-gradient-of-the-batch-in-evaluation", "BN-GRAD-2")
class GainGradientOfTheBatchInEvaluation(HandWrittenBackward):
    """dγ uses the statistics of the batch in evaluation, too."""

    def gain_gradient(self, s: Saved, w: Array) -> Array:
        mean, var = self.statistics(s.x)
        return (w * (s.x - mean) * self.inverse_std(var)).sum(axis=0)


@fault("offset-gradient-averaged", "BN-GRAD-1", "BN-REMAT-1")
class OffsetGradientAveraged(HandWrittenBackward):
    """dβ = mean(w)."""

    def offset_gradient(self, w: Array) -> Array:
        return w.mean(axis=0)


@fault("offset-gradient-over-features", "BN-GRAD-1")
class OffsetGradientOverFeatures(HandWrittenBackward):
    """Where N = D, dβ is summed over the features."""

    def offset_gradient(self, w: Array) -> Array:
        return w.sum(axis=1 if w.shape[0] == w.shape[1] else 0)


@fault("offset-gradient-without-tail", "BN-GRAD-1")
class OffsetGradientWithoutTail(HandWrittenBackward):
    """Rows after the last full block of four are left out of dβ."""

    def offset_gradient(self, w: Array) -> Array:
        rows = w.shape[0]
        return w[: rows - rows % 4 or rows].sum(axis=0)


# x in evaluation


@fault("batch-variance-in-evaluation-backward", "BN-GRAD-4")
class BatchVarianceInEvaluationBackward(HandWrittenBackward):
    """The backward pass of evaluation scales with the variance of the batch."""

    def evaluated_gradient(self, s: Saved, w: Array) -> Array:
        return s.gamma * self.inverse_std(jnp.var(s.x, axis=0)) * w


# Precision


@fault("residual-in-bfloat16", "BN-GRAD-2", "BN-GRAD-3")
class ResidualInBfloat16(HandWrittenBackward):
    """z is kept in bfloat16 to save memory."""

    def saved(self, saved: Saved) -> Any:
        return saved._replace(z=saved.z.astype(jnp.bfloat16))

    def restored(self, saved: Any) -> Saved:
        return super().restored(saved._replace(z=saved.z.astype(jnp.float32)))


@fault("cotangent-in-bfloat16", "BN-GRAD-1", "BN-GRAD-4", "BN-GRAD-5")
class CotangentInBfloat16(HandWrittenBackward):
    """The cotangent is rounded to bfloat16."""

    def backward(self, s: Saved, w: Array, *, training: bool) -> tuple[Array, Array, Array]:
        return super().backward(s, w.astype(jnp.bfloat16).astype(jnp.float32), training=training)


@fault("cotangent-in-float16", "BN-GRAD-1", "BN-GRAD-5", source="tensorflow/tensorflow#107705")
class CotangentInFloat16(HandWrittenBackward):
    """The cotangent passes through float16, which ends at 65504."""

    def backward(self, s: Saved, w: Array, *, training: bool) -> tuple[Array, Array, Array]:
        return super().backward(s, w.astype(jnp.float16).astype(jnp.float32), training=training)


@fault("cotangent-clipped", "BN-GRAD-5")
class CotangentClipped(HandWrittenBackward):
    """The cotangent is clipped to [−10⁵, 10⁵], so that a scaled loss is cut off."""

    def backward(self, s: Saved, w: Array, *, training: bool) -> tuple[Array, Array, Array]:
        return super().backward(s, jnp.clip(w, -1e5, 1e5), training=training)


@fault("small-cotangents-dropped", "BN-GRAD-5")
class SmallCotangentsDropped(HandWrittenBackward):
    """Cotangents below 10⁻⁶ are taken for zero."""

    def backward(self, s: Saved, w: Array, *, training: bool) -> tuple[Array, Array, Array]:
        kept = jnp.where(jnp.abs(w) < 1e-6, 0.0, w)
        return super().backward(s, kept, training=training)


@fault(
    "gradient-clipped",
    "BN-GRAD-3",
    "BN-GRAD-5",
    diagnosed=("gradient-clipped", "gradient-clipped@training"),
)
class GradientClipped(HandWrittenBackward):
    """dx is clipped to [−100, 100]."""

    def input_gradient(self, s: Saved, w: Array) -> Array:
        return jnp.clip(super().input_gradient(s, w), -100, 100)


# Residuals that outlive their call

_LAST: dict[tuple[int, ...], Any] = {}


@fault("residuals-of-the-last-call", "BN-GRAD-9")
class ResidualsOfTheLastCall(HandWrittenBackward):
    """Residuals are kept per shape, so that a later forward pass overwrites them."""

    def saved(self, saved: Saved) -> Any:
        if not isinstance(saved.z, jax.core.Tracer):
            _LAST[saved.z.shape] = saved
        return saved

    def restored(self, saved: Any) -> Saved:
        if isinstance(saved.z, jax.core.Tracer):
            return saved
        return _LAST[saved.z.shape]


_ACCUMULATED: dict[int, tuple[Array, Any]] = {}


@fault("gradient-accumulated", "BN-GRAD-9", source="paiml/trueno#178", diagnosed="varies")
class GradientAccumulated(HandWrittenBackward):
    """dγ is added to a buffer that belongs to the forward pass and is never set to zero."""

    def backward(self, s: Saved, w: Array, *, training: bool) -> tuple[Array, Array, Array]:
        dx, of_gamma, of_beta = super().backward(s, w, training=training)
        if not isinstance(of_gamma, jax.core.Tracer):
            of_gamma = of_gamma + _ACCUMULATED.get(id(s.z), (s.z, 0))[1]
            _ACCUMULATED[id(s.z)] = s.z, of_gamma  # keeping z keeps its id from being reused
        return dx, of_gamma, of_beta


_KEPT: dict[int, Array] = {}


@fault(
    "residuals-freed-by-the-first-pass",
    "BN-GRAD-9",
    source="patrick-kidger/equinox#183",
    raises=True,
)
class ResidualsFreedByTheFirstPass(HandWrittenBackward):
    """The backward pass frees what was kept, so a second one finds nothing."""

    def saved(self, saved: Saved) -> Any:
        _KEPT[id(saved.z)] = saved.z
        return saved

    def restored(self, saved: Any) -> Saved:
        if isinstance(saved.z, jax.core.Tracer):
            return saved
        return saved._replace(z=_KEPT.pop(id(saved.z)))
