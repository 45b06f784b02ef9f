"""BatchNorm with the calling convention of flax.linen/flax.nnx: the mode is an
attribute, set by train() and eval(), and an argument of the call takes precedence."""
import typing as tp

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, use_running_average: bool = False,
                 axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-5,
                 use_bias: bool = True, use_scale: bool = True,
                 rngs: tp.Optional[nnx.Rngs] = None):
        feature_shape = (num_features,)
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = use_running_average
        self.mean = nnx.BatchStat(jnp.zeros(feature_shape))
        self.var = nnx.BatchStat(jnp.ones(feature_shape))
        self.scale = nnx.Param(jnp.ones(feature_shape)) if use_scale else None
        self.bias = nnx.Param(jnp.zeros(feature_shape)) if use_bias else None

    def __call__(self, x: Array, use_running_average: tp.Optional[bool] = None) -> Array:
        use_running_average = use_running_average or self.use_running_average
        feature_axis = self.axis % x.ndim
        reduction_axes = tuple(i for i in range(x.ndim) if i != feature_axis)

        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._compute_stats(x, reduction_axes)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return self._normalize(x, mean, var, reduction_axes)

    def _compute_stats(self, x, axes):
        mu = jnp.mean(x, axes)
        mu_b = jnp.expand_dims(mu, axes)
        return mu, jnp.mean(jax.lax.square(x - mu_b), axes)

    def _normalize(self, x, mean, var, axes):
        mean, var = jnp.expand_dims(mean, axes), jnp.expand_dims(var, axes)
        mul = jax.lax.rsqrt(var + self.epsilon)
        if self.scale is not None:
            mul = mul * jnp.expand_dims(self.scale[...], axes)
        y = (x - mean) * mul
        if self.bias is not None:
            y = y + jnp.expand_dims(self.bias[...], axes)
        return y
