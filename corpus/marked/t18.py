import jax.numpy as jnp
from flax import nnx


def block_moments(x, block):
    means, variances, counts = [], [], []
    for start in range(0, x.shape[0], block):
        chunk = x[start:start + block]
        means.append(chunk.mean(axis=0))
        variances.append(chunk.var(axis=0))
        counts.append(chunk.shape[0])
    return jnp.stack(means), jnp.stack(variances), jnp.asarray(counts, x.dtype)


def pool_moments(means, variances, counts):
    w = (counts / counts.sum())[:, None]
    mean = jnp.sum(w * means, axis=0)
    var = jnp.sum(w * variances, axis=0)
    return mean, var


class BlockedBatchNorm(nnx.Module):
    """Walks over the batch in blocks of rows and pools the moments."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, block=4, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.block = block
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = pool_moments(*block_moments(x, self.block))
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        xhat = (x - mean) / jnp.sqrt(var + self.eps)
        return xhat * self.gamma[...] + self.beta[...]
