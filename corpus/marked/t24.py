import jax
import jax.numpy as jnp
from flax import nnx


class FoldingBatchNorm(nnx.Module):
    """At inference time the layer collapses into x * scale + shift."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    @property
    def folded_scale(self):
        return self.gamma[...] * jax.lax.rsqrt(self.running_var[...] + self.eps)

    @property
    def folded_shift(self):
        return self.beta[...] - self.running_mean[...] * self.gamma[...]

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            return x * self.folded_scale + self.folded_shift
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        x_hat = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return self.gamma[...] * x_hat + self.beta[...]
