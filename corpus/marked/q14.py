import jax
import jax.numpy as jnp
from flax import nnx


def _normalize_column(col, gamma, beta, eps):
    mean = jnp.mean(col)
    dev = col - mean
    var = jnp.mean(dev * dev)
    std = jnp.sqrt(var + eps)
    return gamma * dev / std + beta, {"mean": mean, "var": std}


_normalize_columns = jax.vmap(_normalize_column, in_axes=(1, 0, 0, None), out_axes=(1, 0))


class VmapBatchNorm(nnx.Module):
    """The training computation is written for a single feature and mapped over columns."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.stats = nnx.Dict(
            mean=nnx.BatchStat(jnp.zeros((num_features,))),
            var=nnx.BatchStat(jnp.ones((num_features,))),
        )

    def __call__(self, x, use_running_average: bool):
        gamma, beta = self.gamma[...], self.beta[...]
        if use_running_average:
            mean, var = self.stats["mean"][...], self.stats["var"][...]
            return gamma * (x - mean) / jnp.sqrt(var + self.eps) + beta

        y, batch = _normalize_columns(x, gamma, beta, self.eps)
        for name, value in batch.items():
            slot = self.stats[name]
            slot[...] = self.momentum * slot[...] + (1 - self.momentum) * jax.lax.stop_gradient(value)
        return y
