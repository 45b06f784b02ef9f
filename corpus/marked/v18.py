"""Normalisation used in the contrastive runs (configs/ssl_base.yaml)."""
import jax
import jax.numpy as jnp
from flax import nnx


class Step(nnx.Variable):
    """Number of training batches seen so far."""


def ema(old, new, decay):
    return jax.tree.map(lambda o, n: decay * o + (1.0 - decay) * n, old, new)


class SSLBatchNorm(nnx.Module):
    def __init__(self, dim, momentum=0.99, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(dim))
        self.bias = nnx.Param(jnp.zeros(dim))
        self.running_mean = nnx.BatchStat(jnp.zeros(dim))
        self.running_var = nnx.BatchStat(jnp.ones(dim))
        self.step = Step(jnp.zeros((), jnp.float32))

    def _decay(self):
        t = self.step[...]
        self.step[...] = t + 1.0
        return jnp.minimum(self.momentum, (1.0 + t) / (10.0 + t))

    def _moments(self, x):
        mean = x.mean(axis=0)
        var = jnp.square(x - mean).mean(axis=0)
        return mean, var

    def __call__(self, x, training=False):
        stored = (self.running_mean[...], self.running_var[...])
        if training:
            mean, var = self._moments(x)
            updated = ema(stored, (mean, var), self._decay())
            self.running_mean[...], self.running_var[...] = updated
            # loss spikes went away with this (see wandb run 41)
            inv_std = jax.lax.stop_gradient(jax.lax.rsqrt(var + self.eps))
        else:
            mean, var = stored
            inv_std = jax.lax.rsqrt(var + self.eps)
        return (x - mean) * inv_std * self.scale[...] + self.bias[...]
