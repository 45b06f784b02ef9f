"""BN where each example is summarised first and the summaries are then combined.

That is the layout we need later for per-host statistics: a host sends two
vectors for each of its examples instead of the activations.
"""
import jax
import jax.numpy as jnp
from flax import nnx


def example_summary(example):
    """(positions, features) -> mean and variance over the positions."""
    mu = example.mean(axis=0)
    return mu, jnp.square(example - mu).mean(axis=0)


def combine(mus, variances):
    """All examples have the same number of positions, so plain means do."""
    return mus.mean(axis=0), variances.mean(axis=0)


class SummaryNorm(nnx.Module):

    def __init__(self, features, momentum=0.95, epsilon=1e-5, mode="train", *, rngs=None):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.mode = mode
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.ra_mean = nnx.BatchStat(jnp.zeros(features))
        self.ra_var = nnx.BatchStat(jnp.ones(features))

    def set_mode(self, mode):
        if mode not in ("train", "eval"):
            raise ValueError(f"unknown mode {mode!r}")
        self.mode = mode
        return self

    def __call__(self, x):
        if self.mode == "train":
            examples = x.reshape(x.shape[0], -1, self.features)
            mu, var = combine(*jax.vmap(example_summary)(examples))
            self._track(mu, var)
        else:
            mu, var = self.ra_mean[...], self.ra_var[...]
        return self.scale[...] * ((x - mu) * jax.lax.rsqrt(var + self.epsilon)) + self.bias[...]

    def _track(self, mu, var):
        for stat, new in ((self.ra_mean, mu), (self.ra_var, var)):
            stat[...] = stat[...] * self.momentum + new * (1.0 - self.momentum)
