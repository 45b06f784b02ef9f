"""Faults in forward mode, and in derivatives of the backward pass."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from impl.faulty.record import fault
from impl.handwritten import HandWrittenBackward, Saved
from impl.stepwise import Array
from impl.tangent_rule import TangentRule

# Derivatives of the backward pass


@fault("second-residuals-constant", "BN-GRAD-12", "BN-GRAD-13")
class SecondResidualsConstant(HandWrittenBackward):
    """The backward pass treats its residuals as constants."""

    def restored(self, saved: Any) -> Saved:
        return jax.tree.map(stop_gradient, Saved(*saved))


@fault("second-scale-constant", "BN-GRAD-12", "BN-GRAD-13")
class SecondScaleConstant(HandWrittenBackward):
    """The backward pass treats 1/√(v+ε) as a constant, and z not."""

    def scale(self, s: Saved) -> Array:
        return s.gamma * stop_gradient(s.r)


@fault("second-projection-constant", "BN-GRAD-12", "BN-GRAD-13")
class SecondProjectionConstant(HandWrittenBackward):
    """The projection of the backward pass treats z as a constant."""

    def projection(self, s: Saved, w: Array) -> Array:
        return super().projection(s._replace(z=stop_gradient(s.z)), w)


@fault("second-cotangent-constant", "BN-GRAD-12")
class SecondCotangentConstant(HandWrittenBackward):
    """The projection treats the cotangent as a constant, so dx is not linear in it."""

    def projection(self, s: Saved, w: Array) -> Array:
        return super().projection(s, stop_gradient(w))


@fault("second-gain-constant", "BN-GRAD-12", "BN-GRAD-13")
class SecondGainConstant(HandWrittenBackward):
    """The backward pass treats gamma as a constant, and its gradient, too."""

    def scale(self, s: Saved) -> Array:
        return stop_gradient(s.gamma) * s.r

    def gain_gradient(self, s: Saved, w: Array) -> Array:
        return super().gain_gradient(Saved(*map(stop_gradient, s)), w)


@fault("second-constant-in-evaluation", "BN-GRAD-12")
class SecondConstantInEvaluation(HandWrittenBackward):
    """In evaluation the gradient of x is a constant to JAX."""

    def evaluated_gradient(self, s: Saved, w: Array) -> Array:
        return stop_gradient(super().evaluated_gradient(s, w))


@partial(jax.custom_jvp)
def _doubled(r: Array) -> Array:
    return r


@_doubled.defjvp
def _doubled_tangent(primals: Any, tangents: Any) -> Any:
    return _doubled(*primals), 2 * tangents[0]


@fault("second-root-rule", "BN-GRAD-12", "BN-GRAD-13")
class SecondRootRule(HandWrittenBackward):
    """The root in the backward pass has a derivative rule that lacks the factor of one half."""

    def scale(self, s: Saved) -> Array:
        return s.gamma * _doubled(s.r)


@fault("second-refused", "BN-GRAD-12", raises=True)
class SecondRefused(HandWrittenBackward):
    """The backward pass adds in a loop that JAX cannot differentiate in reverse mode."""

    def centre(self, w: Array) -> Array:
        def add(carry: Any) -> Any:
            index, total = carry
            return index + 1, total + w[index]

        rows = w.shape[0]
        start = (0, jnp.zeros_like(w[0]))
        return jax.lax.while_loop(lambda carry: carry[0] < rows, add, start)[1] / rows


# Forward mode


@fault("tangent-statistics-constant", "BN-GRAD-10", "BN-GRAD-11", "BN-GRAD-3")
class TangentStatisticsConstant(TangentRule):
    """The rule for tangents takes the statistics of the batch for constants."""

    def through_statistics(self, z: Array, t: Array) -> Array:
        del z
        return jnp.zeros_like(t)


@fault("tangent-without-projection", "BN-GRAD-10", "BN-GRAD-11")
class TangentWithoutProjection(TangentRule):
    """The rule for tangents goes through the mean of the batch, not through its variance."""

    def through_statistics(self, z: Array, t: Array) -> Array:
        del z
        return jnp.broadcast_to(t.mean(axis=0), t.shape)


@fault("tangent-gain-dropped", "BN-GRAD-10", "BN-GRAD-11")
class TangentGainDropped(TangentRule):
    """The rule for tangents drops that of gamma."""

    def tangent(self, z: Array, r: Array, gamma: Array, along: Any, *, training: bool) -> Array:
        t, of_gamma, of_beta = along
        return super().tangent(z, r, gamma, (t, 0 * of_gamma, of_beta), training=training)


@fault("tangent-of-training-in-evaluation", "BN-GRAD-10", "BN-GRAD-11")
class TangentOfTrainingInEvaluation(TangentRule):
    """The rule for tangents is that of training in both modes."""

    def tangent(self, z: Array, r: Array, gamma: Array, along: Any, *, training: bool) -> Array:
        del training
        return super().tangent(z, r, gamma, along, training=True)


@fault("tangent-normalised-by-bessel", "BN-GRAD-10", "BN-GRAD-11")
class TangentNormalisedByBessel(TangentRule):
    """The projection of the rule for tangents is divided by N−1."""

    def through_statistics(self, z: Array, t: Array) -> Array:
        rows = t.shape[0]
        return t.mean(axis=0) + z * (z * t).sum(axis=0) / max(rows - 1, 1)
