import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def inv_std(var, eps):
    """1 / sqrt(var + eps); the backward pass reuses the result."""
    return jax.lax.rsqrt(var + eps)


def _inv_std_fwd(var, eps):
    out = jax.lax.rsqrt(var + eps)
    return out, out


def _inv_std_bwd(eps, out, ct):
    return (-0.5 * out * out * ct,)


inv_std.defvjp(_inv_std_fwd, _inv_std_bwd)


class StatsMixin:
    """Running statistics, shared with the other norm layers."""

    def init_stats(self, shape):
        self.stats = nnx.Dict(
            mean=nnx.BatchStat(jnp.zeros(shape)),
            var=nnx.BatchStat(jnp.ones(shape)),
        )

    def push_stats(self, **batch):
        for name, value in batch.items():
            stat = self.stats[name]
            stat[...] = self.momentum * stat[...] + (1.0 - self.momentum) * value


class MixinBatchNorm(StatsMixin, nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.init_stats((num_features,))

    def __call__(self, x, training=True):
        if training:
            mean = x.mean(axis=0)
            var = jnp.square(x - mean).mean(axis=0)
            self.push_stats(mean=mean, var=var)
        else:
            mean = self.stats["mean"][...]
            var = self.stats["var"][...]
        return (x - mean) * inv_std(var, self.eps) * self.gamma[...] + self.beta[...]
