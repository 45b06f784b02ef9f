"""Layers that compile themselves, or have their own kernel or derivative."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.experimental import pallas as pl

from impl.stepwise import Array, StepwiseBatchNorm
from impl.variants.record import variant


@variant("compiled-call")
class CompiledCall(StepwiseBatchNorm):
    """The layer compiles both modes with nnx.jit."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        x = jnp.asarray(x)
        return _evaluate(self, x) if use_running_average else _train(self, x)


@variant("selected-by-cond")
class SelectedByCond(StepwiseBatchNorm):
    """One compiled program takes the flag as an argument, and branches by lax.cond."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return _switched(self, jnp.asarray(x), jnp.asarray(use_running_average, bool))


@nnx.jit
def _switched(layer: SelectedByCond, x: Array, flag: Array) -> Array:
    old = (layer.running_mean[...], layer.running_var[...])

    def train() -> Any:
        mean, var = layer.statistics(x)
        new = (layer.moved(old[0], mean), layer.moved_var(old[1], var))
        return layer.output(x, mean, var), *new

    y, mean, var = jax.lax.cond(flag, lambda: (layer.output(x, *old), *old), train)
    layer.running_mean[...], layer.running_var[...] = mean, var
    return y


@nnx.jit
def _train(layer: CompiledCall, x: Array) -> Array:
    return layer.train_step(x)


@nnx.jit
def _evaluate(layer: CompiledCall, x: Array) -> Array:
    return layer.evaluate(x)


@jax.custom_vjp
def _normalized(x: Array, mean: Array, var: Array, eps: Array) -> Array:
    return (x - mean) * jax.lax.rsqrt(var + eps)


def _forward(x: Array, mean: Array, var: Array, eps: Array) -> Any:
    r = jax.lax.rsqrt(var + eps)
    z = (x - mean) * r
    return z, (z, r)


def _backward(residuals: Any, w: Array) -> Any:
    z, r = residuals
    centred = w - w.mean(0) - z * (w * z).mean(0)
    return centred * r, jnp.zeros_like(r), jnp.zeros_like(r), jnp.zeros(())


_normalized.defvjp(_forward, _backward)


@variant("own-derivative")
class OwnDerivative(StepwiseBatchNorm):
    """Training has a hand-written backward pass, the three-term formula."""

    def train_step(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        self.update(x, mean, var)
        return self.affine(_normalized(jnp.asarray(x), mean, var, jnp.float32(self.eps)))


def _kernel(x_ref: Any, mean_ref: Any, var_ref: Any) -> None:
    x = x_ref[...]
    mean = jnp.sum(x, axis=0, keepdims=True) / x.shape[0]
    mean_ref[...] = mean
    var_ref[...] = jnp.sum(jnp.square(x - mean), axis=0, keepdims=True) / x.shape[0]


@variant("pallas-kernel", differentiable=False)
class PallasKernel(StepwiseBatchNorm):
    """A Pallas kernel, interpreted, computes the statistics."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        return _by_kernel(jnp.asarray(x))


@jax.jit
def _by_kernel(x: Array) -> tuple[Array, Array]:
    row = jax.ShapeDtypeStruct((1, x.shape[1]), x.dtype)
    mean, var = pl.pallas_call(_kernel, out_shape=(row, row), interpret=True)(x)
    return mean[0], var[0]


@variant("compiled-steps")
class CompiledSteps(StepwiseBatchNorm):
    """The layer compiles one step with jax.jit, with arrays, momentum and eps as arguments."""

    def train_step(self, x: Any) -> Any:
        arrays = (self.gamma[...], self.beta[...], self.running_mean[...], self.running_var[...])
        y, mean, var = _step(jnp.asarray(x), *arrays, self.momentum, self.eps)
        self.running_mean[...], self.running_var[...] = mean, var
        return y


@jax.jit
def _step(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, momentum: float, eps: float
) -> tuple[Array, Array, Array]:
    batch_mean, batch_var = x.mean(0), x.var(0)
    new_mean, new_var = jax.lax.stop_gradient((batch_mean, batch_var))
    y = gamma * (x - batch_mean) * jax.lax.rsqrt(batch_var + eps) + beta
    share = 1 - momentum
    return y, momentum * mean + share * new_mean, momentum * var + share * new_var
