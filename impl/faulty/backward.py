"""Faults in a hand-written gradient with respect to x."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from impl.faulty.record import fault
from impl.handwritten import HandWrittenBackward, Saved
from impl.stepwise import Array


@fault("backward-without-projection", "BN-GRAD-3", source="deeplearning4j/deeplearning4j#8379")
class WithoutProjection(HandWrittenBackward):
    """The term through the variance is missing."""

    def projection(self, s: Saved, w: Array) -> Array:
        del s
        return jnp.zeros_like(w)


@fault("backward-without-centring", "BN-GRAD-3", "BN-GRAD-5")
class WithoutCentring(HandWrittenBackward):
    """The term through the mean is missing."""

    def centre(self, w: Array) -> Array:
        return jnp.zeros_like(w[0])


@fault(
    "backward-of-evaluation-in-training",
    "BN-GRAD-3",
    "BN-GRAD-5",
    source="pytorch/xla#913",
    diagnosed="statistics-stopped",
)
class EvaluationBackwardInTraining(HandWrittenBackward):
    """Training is differentiated as if its statistics were constants."""

    def input_gradient(self, s: Saved, w: Array) -> Array:
        return self.evaluated_gradient(s, w)


@fault("backward-of-training-in-evaluation", "BN-GRAD-4", source="apache/mxnet#9580")
class TrainingBackwardInEvaluation(HandWrittenBackward):
    """Evaluation is differentiated with the terms of training."""

    def evaluated_gradient(self, s: Saved, w: Array) -> Array:
        return self.input_gradient(s, w)


@fault("backward-without-gamma", "BN-GRAD-3", "BN-GRAD-4", source="denizyuret/Knet.jl#288")
class WithoutGamma(HandWrittenBackward):
    """gamma is missing in dx."""

    def scale(self, s: Saved) -> Array:
        return s.r


@fault("backward-gamma-twice", "BN-GRAD-3", "BN-GRAD-4")
class GammaTwice(HandWrittenBackward):
    """gamma is multiplied into dx twice."""

    def scale(self, s: Saved) -> Array:
        return s.gamma * s.gamma * s.r


@fault("backward-gamma-absolute", "BN-GRAD-3", "BN-GRAD-4")
class GammaAbsolute(HandWrittenBackward):
    """dx takes the absolute value of gamma, as layers do that keep gamma positive."""

    def scale(self, s: Saved) -> Array:
        return jnp.abs(s.gamma) * s.r


@fault(
    "backward-gamma-in-training-only", "BN-GRAD-4", diagnosed="backward-without-gamma@evaluation"
)
class GammaInTrainingOnly(HandWrittenBackward):
    """gamma is missing in the dx of evaluation."""

    def evaluated_gradient(self, s: Saved, w: Array) -> Array:
        return s.r * w


@fault("backward-unbiased-projection", "BN-GRAD-3")
class UnbiasedProjection(HandWrittenBackward):
    """The term through the variance is averaged with N−1."""

    def projection(self, s: Saved, w: Array) -> Array:
        return s.z * (w * s.z).sum(axis=0) / max(1, w.shape[0] - 1)


@fault("backward-unbiased-centring", "BN-GRAD-3", "BN-GRAD-5")
class UnbiasedCentring(HandWrittenBackward):
    """The term through the mean is averaged with N−1."""

    def centre(self, w: Array) -> Array:
        return w.sum(axis=0) / max(1, w.shape[0] - 1)


@fault("backward-without-inverse-std", "BN-GRAD-3", "BN-GRAD-4")
class WithoutInverseStd(HandWrittenBackward):
    """1/√(v+ε) is missing in dx."""

    def scale(self, s: Saved) -> Array:
        return s.gamma


@fault("backward-inverse-std-as-variance", "BN-GRAD-3", "BN-GRAD-4", source="FlagGems#5222")
class InverseStdAsVariance(HandWrittenBackward):
    """The saved 1/√(v+ε) is taken for the variance and inverted once more."""

    def scale(self, s: Saved) -> Array:
        return s.gamma * self.inverse_std(s.r)


@fault("backward-std-for-inverse", "BN-GRAD-3", "BN-GRAD-4")
class StdForInverse(HandWrittenBackward):
    """dx is multiplied by √(v+ε) instead of divided."""

    def scale(self, s: Saved) -> Array:
        return s.gamma / s.r


@fault("backward-projection-to-the-fourth", "BN-GRAD-3", source="mlpack/mlpack#2474")
class ProjectionToTheFourth(HandWrittenBackward):
    """The term through the variance has one power of 1/√(v+ε) too many."""

    def projection(self, s: Saved, w: Array) -> Array:
        return super().projection(s, w) * s.r


@fault("backward-projection-squared", "BN-GRAD-3", source="apache/mxnet#1053")
class ProjectionSquared(HandWrittenBackward):
    """The term through the variance has one power of 1/√(v+ε) too few."""

    def projection(self, s: Saved, w: Array) -> Array:
        return (s.x - s.mean) * (w * s.z).mean(axis=0)


@fault("backward-projection-doubled", "BN-GRAD-3")
class ProjectionDoubled(HandWrittenBackward):
    """The ½ of the derivative of the root is forgotten."""

    def projection(self, s: Saved, w: Array) -> Array:
        return 2 * super().projection(s, w)


@fault("backward-projection-sign", "BN-GRAD-3")
class ProjectionSign(HandWrittenBackward):
    """The term through the variance has the wrong sign."""

    def projection(self, s: Saved, w: Array) -> Array:
        return -super().projection(s, w)


@fault("backward-projection-of-all-features", "BN-GRAD-3")
class ProjectionOfAllFeatures(HandWrittenBackward):
    """The mean in the term through the variance is taken over the features, too."""

    def projection(self, s: Saved, w: Array) -> Array:
        return s.z * (w * s.z).mean()


@fault("backward-projection-on-output", "BN-GRAD-3")
class ProjectionOnOutput(HandWrittenBackward):
    """The scaled γ·z stands where z belongs, as after normalising in place."""

    def projection(self, s: Saved, w: Array) -> Array:
        scaled = s.gamma * s.z
        return scaled * (w * scaled).mean(axis=0)


@fault("backward-averaged", "BN-GRAD-3", "BN-GRAD-4")
class Averaged(HandWrittenBackward):
    """dx is divided by N, as if the loss were a mean."""

    def scale(self, s: Saved) -> Array:
        return super().scale(s) / s.x.shape[0]


@fault("backward-without-eps", "BN-GRAD-3", "BN-GRAD-5")
class BackwardWithoutEps(HandWrittenBackward):
    """The backward pass divides by √v, so a constant feature gives NaN."""

    def projection(self, s: Saved, w: Array) -> Array:
        z = (s.x - s.mean) * jax.lax.rsqrt(s.var)
        return z * (w * z).mean(axis=0)


@fault("backward-eps-twice", "BN-GRAD-3", "BN-GRAD-4")
class EpsTwice(HandWrittenBackward):
    """The backward pass adds eps to a variance that includes it already."""

    def scale(self, s: Saved) -> Array:
        return s.gamma * self.inverse_std(s.var + self.eps)


@fault("backward-one-pass", "BN-GRAD-3")
class BackwardOnePass(HandWrittenBackward):
    """The backward pass computes the variance again, as E[x²] − E[x]²."""

    def scale(self, s: Saved) -> Array:
        var = jnp.mean(jnp.square(s.x), axis=0) - jnp.square(jnp.mean(s.x, axis=0))
        return s.gamma * self.inverse_std(jnp.maximum(0.0, var))


@fault("backward-clamped", "BN-GRAD-3")
class Clamped(HandWrittenBackward):
    """No gradient goes through a variance below eps, as after a clamp."""

    def projection(self, s: Saved, w: Array) -> Array:
        return jnp.where(s.var > self.eps, super().projection(s, w), 0)


@fault("backward-without-tail", "BN-GRAD-3")
class WithoutTail(HandWrittenBackward):
    """Rows after the last full block of 32 are left out of the mean of w·z."""

    def projection(self, s: Saved, w: Array) -> Array:
        rows = w.shape[0]
        full = rows - rows % 32 or rows
        return s.z * (w * s.z)[:full].sum(axis=0) / rows


@fault("backward-without-gamma-eagerly", "BN-GRAD-3", diagnosed="backward-without-gamma@eager")
class WithoutGammaEagerly(HandWrittenBackward):
    """gamma is missing in the backward pass that is executed operation by operation."""

    def scale(self, s: Saved) -> Array:
        return super().scale(s) if isinstance(s.r, jax.core.Tracer) else s.r


@fault(
    "backward-without-gamma-compiled",
    "BN-GRAD-3",
    "BN-GRAD-4",
    diagnosed="backward-without-gamma@compiled",
)
class WithoutGammaCompiled(HandWrittenBackward):
    """gamma is missing in the compiled backward pass."""

    def scale(self, s: Saved) -> Array:
        return s.r if isinstance(s.r, jax.core.Tracer) else super().scale(s)


@fault("backward-root-clamped", "BN-GRAD-3")
class RootClamped(HandWrittenBackward):
    """1/√(v+ε) is limited to 1,000 on its way back, so that float16 could hold it."""

    def scale(self, s: Saved) -> Array:
        return s.gamma * jnp.minimum(s.r, 1e3)
