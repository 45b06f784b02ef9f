"""A correct layer with a hand-written rule for forward mode, divided into steps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from impl.stepwise import Array, StepwiseBatchNorm


class TangentRule(StepwiseBatchNorm):
    """Batch Normalization with a custom rule for tangents, from which JAX derives the gradients.

    ẏ = γ̇·z + β̇ + γ·r·(t − mean(t) − z·mean(z·t)) in training, γ̇·z + β̇ + γ·r·t in evaluation.
    """

    def train_step(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        self.update(x, mean, var)
        return self.operation(x, mean, var, training=True)

    def evaluate(self, x: Any) -> Any:
        return self.operation(x, self.running_mean[...], self.running_var[...], training=False)

    def operation(self, x: Any, mean: Array, var: Array, *, training: bool) -> Array:
        """Normalize, scale and shift as one operation, whose derivative is ``tangent``."""

        @jax.custom_jvp
        def applied(x: Array, gamma: Array, beta: Array) -> Array:
            center, spread = self.statistics(x) if training else (mean, var)
            return gamma * (x - center) * self.inverse_std(spread) + beta

        @applied.defjvp
        def rule(primals: Any, tangents: Any) -> Any:
            x, gamma, _ = primals
            center, spread = self.statistics(x) if training else (mean, var)
            r = self.inverse_std(spread)
            z = (x - center) * r
            return applied(*primals), self.tangent(z, r, gamma, tangents, training=training)

        return applied(jnp.asarray(x), self.gamma[...], self.beta[...])

    def tangent(
        self, z: Array, r: Array, gamma: Array, along: tuple[Array, Array, Array], *, training: bool
    ) -> Array:
        """Return the tangent of y, (N, D).

        Args:
            z: The normalized input, (N, D).
            r: 1/√(v+ε), (D,).
            gamma: γ, (D,).
            along: The tangents of x, γ and β.
            training: Whether the statistics are those of x.
        """
        t, of_gamma, of_beta = along
        inside = t - self.through_statistics(z, t) if training else t
        return of_gamma * z + of_beta + gamma * r * inside

    def through_statistics(self, z: Array, t: Array) -> Array:
        return t.mean(axis=0) + z * (z * t).mean(axis=0)
