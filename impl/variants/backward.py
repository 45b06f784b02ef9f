"""Layers with a hand-written backward pass."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from impl.handwritten import HandWrittenBackward, Saved
from impl.stepwise import Array
from impl.tangent_rule import TangentRule
from impl.variants.record import variant

variant("three-term-backward", forward_mode=False)(HandWrittenBackward)
variant("tangent-rule")(TangentRule)


@variant("merged-backward", forward_mode=False)
class MergedBackward(HandWrittenBackward):
    """The sums of dβ and dγ are reused: dx = (γ·r/N)·(N·w − dβ − z·dγ)."""

    def input_gradient(self, s: Saved, w: Array) -> Array:
        n = w.shape[0]
        sums = self.offset_gradient(w) + s.z * self.gain_gradient(s, w)
        return s.gamma * s.r / n * (n * w - sums)


@variant("recomputed-residuals", forward_mode=False)
class RecomputedResiduals(HandWrittenBackward):
    """Only x, the mean and 1/√(v+ε) are kept; z is recomputed."""

    def saved(self, saved: Saved) -> Any:
        return saved.x, saved.mean, saved.r, saved.gamma

    def restored(self, saved: Any) -> Saved:
        x, mean, r, gamma = saved
        return Saved(x, (x - mean) * r, mean, jnp.zeros_like(mean), r, gamma)


@variant("chain-rule-backward", forward_mode=False)
class ChainRuleBackward(HandWrittenBackward):
    """The chain rule of the original paper: through z, the variance and the mean."""

    def input_gradient(self, s: Saved, w: Array) -> Array:
        n, t, of_z = w.shape[0], s.x - s.mean, w * s.gamma
        of_var = jnp.sum(of_z * t, axis=0) * -0.5 * s.r**3
        of_mean = -jnp.sum(of_z * s.r, axis=0) + of_var * jnp.mean(-2 * t, axis=0)
        return of_z * s.r + of_var * 2 * t / n + of_mean / n


@variant("rematerialized")
class Rematerialized(HandWrittenBackward):
    """jax.checkpoint recomputes the forward pass for the backward pass."""

    def operation(self, x: Any, mean: Array, var: Array, *, training: bool) -> Array:
        def normalized(x: Array, gamma: Array, beta: Array) -> Array:
            center, spread = self.statistics(x) if training else (mean, var)
            return gamma * (x - center) * self.inverse_std(spread) + beta

        return jax.checkpoint(normalized)(jnp.asarray(x), self.gamma[...], self.beta[...])
