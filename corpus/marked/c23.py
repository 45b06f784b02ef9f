from typing import Callable, Tuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

Array = jax.Array


def make_normalizer(epsilon: float) -> Callable[[Array, Array, Array], Array]:
    """Builds x, mean, var -> (x - mean) / sqrt(var + epsilon)."""

    def normalizer(x, mean, var):
        inv_std = lax.stop_gradient(lax.rsqrt(var + epsilon))
        return (x - mean) * inv_std

    return normalizer


def make_updater(momentum: float) -> Callable[[nnx.BatchStat, Array], None]:
    def updater(stat, batch_value):
        # no gradient may flow into the buffers
        batch_value = lax.stop_gradient(batch_value)
        stat[...] = momentum * stat[...] + (1.0 - momentum) * batch_value

    return updater


def moments(x: Array) -> Tuple[Array, Array]:
    axes = tuple(range(x.ndim - 1))
    total = jnp.sum(x, axis=axes)
    total_sq = jnp.sum(x * x, axis=axes)
    n = x.size / x.shape[-1]
    mean = total / n
    return mean, jnp.maximum(total_sq / n - mean * mean, 0.0)


class ClosureBatchNorm(nnx.Module):
    def __init__(self, dim: int, *, momentum: float = 0.9, epsilon: float = 1e-5,
                 rngs: nnx.Rngs = None):
        self.normalizer = make_normalizer(epsilon)
        self.updater = make_updater(momentum)
        self.gain = nnx.Param(jnp.ones((dim,)))
        self.offset = nnx.Param(jnp.zeros((dim,)))
        self.mean = nnx.BatchStat(jnp.zeros((dim,)))
        self.var = nnx.BatchStat(jnp.ones((dim,)))

    def __call__(self, x: Array, deterministic: bool = False) -> Array:
        if deterministic:
            stats = self.mean[...], self.var[...]
        else:
            stats = moments(x)
            for stat, value in zip((self.mean, self.var), stats):
                self.updater(stat, value)
        return self.normalizer(x, *stats) * self.gain[...] + self.offset[...]
