"""Feature-major batch norm: the kernel sees (D, N) so that the reduction is contiguous."""
import jax
import jax.numpy as jnp
from flax import nnx


def _moments_fm(xt):
    mu = jnp.mean(xt, axis=1, keepdims=True)
    var = jnp.mean((xt - mu) ** 2, axis=1, keepdims=True)
    return mu, var


@jax.custom_vjp
def bn_train_fm(xt, gamma, beta, eps):
    mu, var = _moments_fm(xt)
    return gamma[:, None] * (xt - mu) / jnp.sqrt(var + eps) + beta[:, None]


def bn_train_fm_fwd(xt, gamma, beta, eps):
    mu, var = _moments_fm(xt)
    rstd = 1.0 / jnp.sqrt(var + eps)
    xc = xt - mu
    y = gamma[:, None] * (xc * rstd) + beta[:, None]
    return y, (xc, rstd, gamma)


def bn_train_fm_bwd(residuals, g):
    xc, rstd, gamma = residuals
    n = xc.shape[1]
    sum_g = jnp.sum(g, axis=1, keepdims=True)
    sum_gx = jnp.sum(g * xc, axis=1, keepdims=True)
    dxt = gamma[:, None] * rstd / n * (n * g - sum_g - xc * rstd**2 * sum_gx)
    dgamma = sum_gx[:, 0]
    dbeta = sum_g[:, 0]
    return dxt, dgamma, dbeta, None


bn_train_fm.defvjp(bn_train_fm_fwd, bn_train_fm_bwd)


class FeatureMajorBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.99, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.moving_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, train=True):
        if train:
            mu, var = _moments_fm(jax.lax.stop_gradient(x).T)
            m = self.momentum
            self.moving_mean[...] = m * self.moving_mean[...] + (1 - m) * mu[:, 0]
            self.moving_var[...] = m * self.moving_var[...] + (1 - m) * var[:, 0]
            return bn_train_fm(x.T, self.gamma[...], self.beta[...], self.eps).T
        rstd = 1.0 / jnp.sqrt(self.moving_var[...] + self.eps)
        return self.gamma[...] * (x - self.moving_mean[...]) * rstd + self.beta[...]
