"""Batch normalisation with the gradient from the original paper written out."""
import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def normalize_batch(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)
    var = jnp.mean((x - mu) ** 2, axis=0)
    return gamma * (x - mu) / jnp.sqrt(var + eps) + beta


def normalize_batch_fwd(x, gamma, beta, eps):
    return normalize_batch(x, gamma, beta, eps), (x, gamma, eps)


def normalize_batch_bwd(cache, dout):
    x, gamma, eps = cache
    n = x.shape[0]
    mu = jnp.mean(x, axis=0)
    xmu = x - mu
    sqrtvar = jnp.sqrt(jnp.mean(xmu ** 2, axis=0) + eps)
    xhat = xmu / sqrtvar

    dbeta = jnp.sum(dout, axis=0)
    dgamma = jnp.sum(dout * xhat, axis=0)
    dxhat = dout

    # chain through the variance, then through the mean
    dvar = jnp.sum(dxhat * xmu, axis=0) * -0.5 * sqrtvar ** -3
    dmu = -jnp.sum(dxhat, axis=0) / sqrtvar
    dx = dxhat / sqrtvar + dvar * 2.0 * xmu / n + dmu / n
    return dx, dgamma, dbeta, None


normalize_batch.defvjp(normalize_batch_fwd, normalize_batch_bwd)


class PaperBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.pop_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.pop_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, is_training=True):
        if not is_training:
            # Algorithm 2: population statistics
            xhat = (x - self.pop_mean[...]) / jnp.sqrt(self.pop_var[...] + self.eps)
            return self.gamma[...] * xhat
        mu, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        keep = self.momentum
        self.pop_mean[...] = keep * self.pop_mean[...] + (1 - keep) * mu
        self.pop_var[...] = keep * self.pop_var[...] + (1 - keep) * var
        return normalize_batch(x, self.gamma[...], self.beta[...], self.eps)
