"""A correct layer with a hand-written backward pass, divided into steps that can be overridden."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from impl.stepwise import Array, StepwiseBatchNorm


class Saved(NamedTuple):
    """Residuals of the forward pass: x and z, (N, D); mean, var, r = 1/√(v+ε) and gamma, (D,)."""

    x: Array
    z: Array
    mean: Array
    var: Array
    r: Array
    gamma: Array


class HandWrittenBackward(StepwiseBatchNorm):
    """Batch Normalization with a custom derivative.

    dβ = Σ w; dγ = Σ w·z; dx = γ·r·(w − mean(w) − z·mean(w·z)) in training, γ·r·w in evaluation.
    """

    def train_step(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        self.update(x, mean, var)
        return self.operation(x, mean, var, training=True)

    def evaluate(self, x: Any) -> Any:
        return self.operation(x, self.running_mean[...], self.running_var[...], training=False)

    def operation(self, x: Any, mean: Array, var: Array, *, training: bool) -> Array:
        """Normalize, scale and shift as one operation, whose derivative is ``backward``.

        Args:
            x: The batch, (N, D).
            mean: The mean used to normalize, (D,).
            var: The variance used to normalize, (D,).
            training: Whether the derivative passes through ``mean`` and ``var``.

        Returns:
            y, (N, D).
        """

        def forward(x: Array, gamma: Array, beta: Array, mean: Array, var: Array) -> Any:
            r = self.inverse_std(var)
            z = (x - mean) * r
            return gamma * z + beta, self.saved(Saved(x, z, mean, var, r, gamma))

        def backward(saved: Any, w: Array) -> Any:
            constants = (jnp.zeros_like(w[0]), jnp.zeros_like(w[0]))
            return *self.backward(self.restored(saved), w, training=training), *constants

        operation = jax.custom_vjp(lambda *arrays: forward(*arrays)[0])
        operation.defvjp(forward, backward)
        return operation(jnp.asarray(x), self.gamma[...], self.beta[...], mean, var)

    def saved(self, saved: Saved) -> Any:
        """Return the residuals to store."""
        return saved

    def restored(self, saved: Any) -> Saved:
        """Return the residuals as the backward pass uses them."""
        return saved

    def backward(self, s: Saved, w: Array, *, training: bool) -> tuple[Array, Array, Array]:
        """Return dx, (N, D), dγ and dβ, (D,).

        Args:
            s: The residuals of the forward pass.
            w: The cotangent of y, (N, D).
            training: Whether it was a training call.
        """
        dx = self.input_gradient(s, w) if training else self.evaluated_gradient(s, w)
        return dx, self.gain_gradient(s, w), self.offset_gradient(w)

    def input_gradient(self, s: Saved, w: Array) -> Array:
        return self.scale(s) * (w - self.centre(w) - self.projection(s, w))

    def evaluated_gradient(self, s: Saved, w: Array) -> Array:
        return self.scale(s) * w

    def scale(self, s: Saved) -> Array:
        return s.gamma * s.r

    def centre(self, w: Array) -> Array:
        return w.mean(axis=0)

    def projection(self, s: Saved, w: Array) -> Array:
        return s.z * (w * s.z).mean(axis=0)

    def gain_gradient(self, s: Saved, w: Array) -> Array:
        return (w * s.z).sum(axis=0)

    def offset_gradient(self, w: Array) -> Array:
        return w.sum(axis=0)
