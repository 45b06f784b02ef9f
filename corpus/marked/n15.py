"""Fused forward and backward for batch normalisation."""
import jax
import jax.numpy as jnp
from flax import nnx

EPS = 1e-5


def make_fused(eps):
    @jax.custom_vjp
    def fused(x, gamma, beta):
        out, _ = forward(x, gamma, beta)
        return out

    def forward(x, gamma, beta):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        inv = jax.lax.rsqrt(var + eps)
        x_hat = (x - mean) * inv
        return gamma * x_hat + beta, (x_hat, inv, gamma)

    def backward(res, g):
        x_hat, inv, gamma = res
        n = x_hat.shape[0]
        dbeta = jnp.sum(g, axis=0)
        dgamma = jnp.einsum("nd,nd->d", g, x_hat)
        dx = inv / n * (n * g - dbeta - x_hat * dgamma)
        return dx, dgamma.astype(gamma.dtype), dbeta.astype(gamma.dtype)

    fused.defvjp(forward, backward)
    return fused


class FusedBatchNorm(nnx.Module):
    def __init__(self, d, momentum=0.9, eps=EPS, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.fused = make_fused(eps)
        self.gamma = nnx.Param(jnp.ones((d,)))
        self.beta = nnx.Param(jnp.zeros((d,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((d,)))
        self.running_var = nnx.BatchStat(jnp.ones((d,)))

    def _refresh(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * jax.lax.stop_gradient(mean)
        self.running_var[...] = m * self.running_var[...] + (1 - m) * jax.lax.stop_gradient(var)

    def __call__(self, x, use_running_average):
        gamma, beta = self.gamma[...], self.beta[...]
        if use_running_average:
            inv = jax.lax.rsqrt(self.running_var[...] + self.eps)
            return gamma * (x - self.running_mean[...]) * inv + beta
        y = self.fused(x, gamma, beta)
        self._refresh(x)
        return y
