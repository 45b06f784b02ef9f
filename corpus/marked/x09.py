"""norms.py -- normalisation layers of the `tabrep` research code."""
import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class Moments:
    mean: jax.Array
    var: jax.Array

    @classmethod
    def of(cls, x):
        mu = jnp.mean(x, axis=0)
        return cls(mu, jnp.mean(jnp.square(x - mu), axis=0))

    def detach(self):
        return Moments(*map(jax.lax.stop_gradient, (self.mean, self.var)))

    def lerp(self, other, weight):
        """self at weight 0, other at weight 1."""
        return Moments(
            self.mean + weight * (other.mean - self.mean),
            self.var + weight * (other.var - self.var),
        )

    def whiten(self, x, eps):
        return (x - self.mean) / jnp.sqrt(self.var + eps)


class TabBatchNorm(nnx.Module):
    """BatchNorm over rows; ``momentum`` is the retention of the running moments."""

    def __init__(self, num_features, momentum=0.98, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gain = nnx.Param(jnp.ones((num_features,)))
        self.shift = nnx.Param(jnp.zeros((num_features,)))
        self.r_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.r_var = nnx.BatchStat(jnp.ones((num_features,)))

    @property
    def running(self):
        return Moments(self.r_mean[...], self.r_var[...])

    def _commit(self, moments):
        self.r_mean[...] = moments.mean
        self.r_var[...] = moments.var

    def _select(self, x, train):
        if not train:
            return self.running
        batch = Moments.of(x).detach()
        self._commit(self.running.lerp(batch, 1.0 - self.momentum))
        return batch

    def __call__(self, x, train=True):
        z = self._select(x, train).whiten(x, self.eps)
        return z * self.gain[...] + self.shift[...]
