"""Batch norm whose two modes share one custom-VJP primitive."""
import jax
import jax.numpy as jnp
from flax import nnx
from functools import partial


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _batch_norm(training, eps, x, scale, bias, ra_mean, ra_var):
    out, _ = _batch_norm_fwd(training, eps, x, scale, bias, ra_mean, ra_var)
    return out


def _batch_norm_fwd(training, eps, x, scale, bias, ra_mean, ra_var):
    if training:
        mean = jnp.mean(x, axis=0)
        var = jnp.mean((x - mean) ** 2, axis=0)
    else:
        mean, var = ra_mean, ra_var
    inv = jax.lax.rsqrt(var + eps)
    x_hat = (x - mean) * inv
    return (x_hat * scale + bias, mean, var), (x_hat, inv, scale)


def _batch_norm_bwd(training, eps, residuals, cotangents):
    x_hat, inv, scale = residuals
    g = cotangents[0]
    d_bias = jnp.sum(g, axis=0)
    d_scale = jnp.sum(g * x_hat, axis=0)
    n = g.shape[0]
    d_x = (scale * inv / n) * (n * g - d_bias - x_hat * d_scale)
    # running statistics are state, not something we train
    no_grad = jnp.zeros_like(inv)
    return d_x, d_scale, d_bias, no_grad, no_grad


_batch_norm.defvjp(_batch_norm_fwd, _batch_norm_bwd)


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.99,
                 epsilon: float = 1e-5, rngs: nnx.Rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(nnx.initializers.ones(rngs.params(), (num_features,)))
        self.bias = nnx.Param(nnx.initializers.zeros(rngs.params(), (num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        y, mean, var = _batch_norm(
            training, self.epsilon, x,
            self.scale[...], self.bias[...], self.mean[...], self.var[...],
        )
        if training:
            keep, take = self.momentum, 1.0 - self.momentum
            self.mean[...] = keep * self.mean[...] + take * jax.lax.stop_gradient(mean)
            self.var[...] = keep * self.var[...] + take * jax.lax.stop_gradient(var)
        return y
