import jax
import jax.numpy as jnp
from flax import nnx


def _moments(x):
    mu = jnp.mean(x, axis=0)
    var = jnp.mean(jnp.square(x - mu), axis=0)
    return mu, var


@jax.custom_vjp
def _normalize(x, eps):
    mu, var = _moments(x)
    return (x - mu) / jnp.sqrt(var + eps)


def _normalize_fwd(x, eps):
    mu, var = _moments(x)
    std = jnp.sqrt(var + eps)
    z = (x - mu) / std
    return z, (z, std)


def _normalize_bwd(saved, g):
    z, std = saved
    g_mean = g.mean(axis=0)
    dx = (g - g_mean) / std
    return dx, None


_normalize.defvjp(_normalize_fwd, _normalize_bwd)


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average: bool):
        if use_running_average:
            z = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
        else:
            z = _normalize(x, self.eps)
            mu, var = jax.lax.stop_gradient(_moments(x))
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mu
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return z * self.gamma[...] + self.beta[...]
