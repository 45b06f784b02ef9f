import jax
import jax.numpy as jnp
from flax import nnx


def _moments(x):
    n = x.shape[0]
    mean = jnp.sum(x, axis=0) / n
    centred = x - mean
    return mean, jnp.sum(centred * centred, axis=0) / n


class MaskedModeBatchNorm(nnx.Module):
    """No Python branching, so `training` can be a tracer."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.offset = nnx.Param(jnp.zeros((num_features,)))
        self.avg_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.avg_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _keep_weight(self, training):
        return jnp.where(training, self.momentum, 0.0)

    def _advance(self, keep, mean, var):
        mean = jax.lax.stop_gradient(mean)
        var = jax.lax.stop_gradient(var)
        self.avg_mean[...] = keep * self.avg_mean[...] + (1.0 - keep) * mean
        self.avg_var[...] = keep * self.avg_var[...] + (1.0 - keep) * var

    def __call__(self, x, training: bool):
        batch_mean, batch_var = _moments(x)
        mean = jnp.where(training, batch_mean, self.avg_mean[...])
        var = jnp.where(training, batch_var, self.avg_var[...])
        self._advance(self._keep_weight(training), batch_mean, batch_var)
        return self.scale * (x - mean) / jnp.sqrt(var + self.eps) + self.offset
