import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


def _stats(x):
    mean = jnp.mean(x, axis=0)
    var = jnp.mean(lax.square(x - mean), axis=0)
    return mean, var


@jax.custom_vjp
def bn_apply(x, mean, var, gamma, beta, eps):
    """``mean`` and ``var`` are the moments of ``x``; their dependence on ``x`` is handled in the rule."""
    return gamma * (x - mean) * lax.rsqrt(var + eps) + beta


def bn_apply_fwd(x, mean, var, gamma, beta, eps):
    r = lax.rsqrt(var + eps)
    xhat = (x - mean) * r
    return gamma * xhat + beta, (xhat, r, gamma)


def bn_apply_bwd(res, g):
    xhat, r, gamma = res
    n = g.shape[0]
    sum_g = g.sum(axis=0)
    sum_gx = jnp.einsum("nd,nd->d", g, xhat, precision="highest")
    dx = (r / n) * (n * g - sum_g - xhat * sum_gx)
    zero = jnp.zeros_like(r)
    return dx, zero, zero, sum_gx, sum_g, None


bn_apply.defvjp(bn_apply_fwd, bn_apply_bwd)


class CustomGradBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _train(self, x):
        mean, var = lax.stop_gradient(_stats(x))
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1.0 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1.0 - m) * var
        return bn_apply(x, mean, var, self.gamma[...], self.beta[...], self.eps)

    def _eval(self, x):
        r = lax.rsqrt(self.running_var[...] + self.eps)
        return self.gamma[...] * ((x - self.running_mean[...]) * r) + self.beta[...]

    def __call__(self, x, use_running_average: bool):
        return self._eval(x) if use_running_average else self._train(x)
