"""BatchNorm whose standardisation has an explicit forward-mode rule."""
import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def standardise(x, eps):
    mu = jnp.mean(x, axis=0, keepdims=True)
    var = jnp.mean(jnp.square(x - mu), axis=0, keepdims=True)
    return (x - mu) * jax.lax.rsqrt(var + eps)


@standardise.defjvp
def _standardise_jvp(eps, primals, tangents):
    (x,), (x_dot,) = primals, tangents
    mu = jnp.mean(x, axis=0, keepdims=True)
    centred = x - mu
    var = jnp.mean(jnp.square(centred), axis=0, keepdims=True)
    r = jax.lax.rsqrt(var + eps)

    centred_dot = x_dot - jnp.mean(x_dot, axis=0, keepdims=True)
    var_dot = 2.0 * jnp.mean(centred * centred_dot, axis=0, keepdims=True)
    r_dot = -0.5 * r**2 * var_dot
    return centred * r, centred_dot * r + centred * r_dot


class JvpBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.99, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mu = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training: bool = True):
        if training:
            x_hat = standardise(x, self.eps)
            self._update(x.mean(axis=0), x.var(axis=0))
        else:
            x_hat = (x - self.mu[...]) * jax.lax.rsqrt(self.var[...] + self.eps)
        return x_hat * self.gamma[...] + self.beta[...]

    def _update(self, mu, var):
        rho = self.momentum
        self.mu[...] = rho * self.mu[...] + (1.0 - rho) * mu
        self.var[...] = rho * self.var[...] + (1.0 - rho) * var
