"""One pass batch norm with shifted data.

Summing x and x*x loses digits when |mean| >> std.  Subtracting any constant
near the mean before the sums cures that, and the running mean is such a
constant once training is under way.
"""
import typing as tp

import jax
import jax.numpy as jnp
from flax import nnx

Array = jax.Array


def shifted_sums(x: Array, shift: Array) -> tp.Tuple[Array, Array, int]:
    axes = tuple(range(x.ndim - 1))
    d = x - shift
    n = x.size // x.shape[-1]
    return d.sum(axes), (d * d).sum(axes), n


class ShiftedBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        rngs: nnx.Rngs,
        *,
        use_running_average: bool = False,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
    ):
        del rngs  # nothing random here
        self.use_running_average = use_running_average
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x: Array, use_running_average: tp.Optional[bool] = None) -> Array:
        frozen = nnx.module.first_from(
            use_running_average, self.use_running_average,
            error_msg="use_running_average is not set",
        )
        if frozen:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._batch_statistics(x)
            self.mean[...] = self._blend(self.mean[...], mean)
            self.var[...] = self._blend(self.var[...], var)

        return (x - mean) * (self.scale[...] * jax.lax.rsqrt(var + self.epsilon)) + self.bias[...]

    def _batch_statistics(self, x: Array) -> tp.Tuple[Array, Array]:
        shift = jax.lax.stop_gradient(self.mean[...])
        s1, s2, n = shifted_sums(x, shift)
        mean = s1 / n + shift
        var = jnp.maximum(s2 / n - jnp.square(mean), 0.0)
        return mean, var

    def _blend(self, old: Array, new: Array) -> Array:
        return self.momentum * old + (1.0 - self.momentum) * new
