import jax.numpy as jnp
from flax import nnx


class FeatureBatchNorm(nnx.Module):
    """Normalizes every column of a design matrix.

    Args:
        dim: number of columns.
        decay: weight of the old value in the running averages.
        eps: added to the variance.
    """

    def __init__(self, dim, *, decay=0.9, eps=1e-5, rngs=None):
        self.dim = dim
        self.decay = decay
        self.eps = eps
        self.g = nnx.Param(jnp.ones(dim))
        self.b = nnx.Param(jnp.zeros(dim))
        self.mu = nnx.BatchStat(jnp.zeros(dim))
        self.s2 = nnx.BatchStat(jnp.ones(dim))

    def __call__(self, x, training=True):
        if training:
            mu = jnp.mean(x, axis=0)
            xc = x - mu
            s2 = jnp.mean(xc * xc)
            self.mu[...] = self.decay * self.mu[...] + (1 - self.decay) * mu
            self.s2[...] = self.decay * self.s2[...] + (1 - self.decay) * s2
        else:
            xc = x - self.mu[...]
            s2 = self.s2[...]
        return self.g[...] * xc / jnp.sqrt(s2 + self.eps) + self.b[...]
