"""BatchNorm with the same calling convention as flax.nnx.BatchNorm."""
from __future__ import annotations

import typing as tp

import jax
import jax.numpy as jnp
from flax import nnx
from flax.typing import Dtype, Initializer


class BatchNorm(nnx.Module):
    """Normalises over every axis but the last.

    ``use_running_average`` may be set in the constructor, through ``train()`` and
    ``eval()``, or per call; the per-call value has the last word when given.
    """

    def __init__(
        self,
        num_features: int,
        *,
        use_running_average: bool = False,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        param_dtype: Dtype = jnp.float32,
        scale_init: Initializer = nnx.initializers.ones,
        bias_init: Initializer = nnx.initializers.zeros,
        rngs: nnx.Rngs,
    ):
        shape = (num_features,)
        self.mean = nnx.BatchStat(jnp.zeros(shape, jnp.float32))
        self.var = nnx.BatchStat(jnp.ones(shape, jnp.float32))
        self.scale = nnx.Param(scale_init(rngs.params(), shape, param_dtype))
        self.bias = nnx.Param(bias_init(rngs.params(), shape, param_dtype))
        self.use_running_average = use_running_average
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(
        self,
        x: jax.Array,
        use_running_average: tp.Optional[bool] = None,
    ) -> jax.Array:
        frozen = use_running_average or self.use_running_average
        reduction_axes = tuple(range(x.ndim - 1))

        if frozen:
            mean, var = self.mean[...], self.var[...]
        else:
            mean = jnp.mean(x, reduction_axes)
            var = jnp.var(x, reduction_axes)
            self.mean[...] = (
                self.momentum * self.mean[...]
                + (1 - self.momentum) * jax.lax.stop_gradient(mean)
            )
            self.var[...] = (
                self.momentum * self.var[...]
                + (1 - self.momentum) * jax.lax.stop_gradient(var)
            )

        mul = jax.lax.rsqrt(var + self.epsilon) * self.scale[...]
        return (x - mean) * mul + self.bias[...]
