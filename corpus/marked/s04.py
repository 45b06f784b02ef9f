"""Memory-lean batch norm: the backward keeps only x_hat and 1/sigma."""
import jax
import jax.numpy as jnp
from flax import nnx


def _mean0(t):
    return jnp.mean(t, axis=0)


def _remove_mean(t):
    return t - _mean0(t)


@jax.custom_vjp
def _bn_core(x, gamma, beta, eps):
    xc = _remove_mean(x)
    return gamma * (xc * jax.lax.rsqrt(_mean0(xc * xc) + eps)) + beta


def _bn_core_fwd(x, gamma, beta, eps):
    xc = _remove_mean(x)
    r = jax.lax.rsqrt(_mean0(xc * xc) + eps)
    x_hat = xc * r
    return gamma * x_hat + beta, (x_hat, r, gamma)


def _bn_core_bwd(res, ct):
    x_hat, r, gamma = res
    grad_beta = ct.sum(axis=0)
    grad_gamma = (ct * x_hat).sum(axis=0)
    # project out the directions that the normalization removes
    g = ct
    g_perp = _remove_mean(g) - x_hat * _mean0(g * x_hat)
    return r * g_perp, grad_gamma, grad_beta, None


_bn_core.defvjp(_bn_core_fwd, _bn_core_bwd)


class RunningMomentsMixin:
    def _init_moments(self, n, momentum):
        self.momentum = momentum
        self.ra_mean = nnx.BatchStat(jnp.zeros((n,)))
        self.ra_var = nnx.BatchStat(jnp.ones((n,)))

    def _accumulate(self, x):
        x = jax.lax.stop_gradient(x)
        a = self.momentum
        self.ra_mean.value = a * self.ra_mean.value + (1.0 - a) * _mean0(x)
        self.ra_var.value = a * self.ra_var.value + (1.0 - a) * jnp.var(x, axis=0)


class LeanBatchNorm(RunningMomentsMixin, nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self._init_moments(num_features, momentum)
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))

    def __call__(self, x, use_running_average=False):
        if not use_running_average:
            self._accumulate(x)
            return _bn_core(x, self.gamma.value, self.beta.value, self.eps)
        r = jax.lax.rsqrt(self.ra_var.value + self.eps)
        return self.gamma.value * ((x - self.ra_mean.value) * r) + self.beta.value
