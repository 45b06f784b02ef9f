"""Batch norm around a custom ``moments`` primitive.

Only the reduction has a custom gradient (XLA otherwise keeps two copies of
``x - mean``); the normalisation itself is left to autodiff.
"""
import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def moments(x):
    mean = jnp.mean(x, axis=0)
    var = jnp.mean(jnp.square(x - mean), axis=0)
    return mean, var


def _moments_fwd(x):
    mean, var = moments(x)
    return (mean, var), (x, mean)


def _moments_bwd(res, ct):
    x, mean = res
    d_mean, d_var = ct
    n = x.shape[0]
    # sum(x - mean) == 0, hence no extra path from var through mean
    return (d_mean / n + d_var * (x - mean) / n,)


moments.defvjp(_moments_fwd, _moments_bwd)


class MomentsBatchNorm(nnx.Module):
    """Batch normalisation of (N, D) inputs.

    ``momentum`` is the fraction of the running statistics that is kept.
    """

    def __init__(self, num_features, momentum=0.99, epsilon=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = moments(x)
            alpha = 1.0 - self.momentum
            self.mean[...] += alpha * (jax.lax.stop_gradient(mean) - self.mean[...])
            self.var[...] += alpha * (jax.lax.stop_gradient(var) - self.var[...])
        mul = jax.lax.rsqrt(var + self.epsilon) * self.scale[...]
        return (x - mean) * mul + self.bias[...]
