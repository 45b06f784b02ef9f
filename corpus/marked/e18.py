import jax
import jax.numpy as jnp
from flax import nnx

MEAN, VAR = 0, 1


def initial_stats(width):
    return jnp.stack([jnp.zeros(width), jnp.ones(width)])


def batch_stats(x):
    mean = jnp.mean(x, axis=0)
    return jnp.stack([mean, jnp.mean((x - mean) ** 2, axis=0)])


def advance(old, batch, momentum):
    mixed = momentum * old + (1.0 - momentum) * batch
    new = old.at[MEAN].set(mixed[MEAN])
    new = old.at[VAR].set(jnp.maximum(mixed[VAR], 0.0))
    return new


def apply_stats(x, stats, affine, eps):
    gamma, beta = affine
    return gamma * (x - stats[MEAN]) * jax.lax.rsqrt(stats[VAR] + eps) + beta


class PackedBatchNorm(nnx.Module):
    """Running mean and variance are the two rows of one variable."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.hparams = (momentum, eps)
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.stats = nnx.BatchStat(initial_stats(num_features))

    def __call__(self, x, use_running_average=False):
        momentum, eps = self.hparams
        stats = self.stats[...]
        if not use_running_average:
            batch = batch_stats(x)
            self.stats[...] = advance(stats, jax.lax.stop_gradient(batch), momentum)
            stats = batch
        return apply_stats(x, stats, (self.scale[...], self.bias[...]), eps)
