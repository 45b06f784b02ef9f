import jax
import jax.numpy as jnp
from flax import nnx


def pairwise_sum(rows):
    """Sum over the first axis by halving, for low rounding error."""
    while rows.shape[0] > 1:
        if rows.shape[0] % 2:
            rows = jnp.concatenate([rows, rows[-1:]])
        rows = rows[0::2] + rows[1::2]
    return rows[0]


def pairwise_mean(rows):
    return pairwise_sum(rows) / rows.shape[0]


class PairwiseBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))
        self.deterministic = False

    def _learn(self, mean, var):
        pairs = [(self.mean, mean), (self.var, var)]
        for slot, batch in pairs:
            slot[...] = self.momentum * slot[...] + (1 - self.momentum) * jax.lax.stop_gradient(batch)

    def __call__(self, x, deterministic=None):
        if deterministic is None:
            deterministic = self.deterministic
        if deterministic:
            mean, var = self.mean[...], self.var[...]
            centered = x - mean
        else:
            mean = pairwise_mean(x)
            centered = x - mean
            var = pairwise_mean(centered**2)
            self._learn(mean, var)
        return centered * jax.lax.rsqrt(var + self.eps) * self.scale[...] + self.bias[...]
