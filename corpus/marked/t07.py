import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def bn_train(x, gamma, beta, eps):
    out, _ = bn_train_fwd(x, gamma, beta, eps)
    return out


def bn_train_fwd(x, gamma, beta, eps):
    mean = x.mean(axis=0)
    centered = x - mean
    var = (centered ** 2).mean(axis=0)
    inv_std = jax.lax.rsqrt(var + eps)
    out = gamma * (centered * inv_std) + beta
    return out, (centered, inv_std, gamma, eps)


def bn_train_bwd(cache, dout):
    centered, inv_std, gamma, eps = cache
    n = dout.shape[0]

    dbeta = dout.sum(axis=0)
    dgamma = (dout * centered).sum(axis=0)

    dxhat = dout * gamma
    dvar = (dxhat * centered).sum(axis=0) * -0.5 * inv_std ** 3
    dmean = -(dxhat * inv_std).sum(axis=0)
    dx = dxhat * inv_std + dvar * 2.0 * centered / n + dmean / n
    return dx, dgamma, dbeta, jnp.zeros_like(eps)


bn_train.defvjp(bn_train_fwd, bn_train_bwd)


class BatchNormVJP(nnx.Module):
    """CS231n style batchnorm with a hand written backward pass."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        gamma, beta = self.gamma[...], self.beta[...]
        if use_running_average:
            xhat = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
            return gamma * xhat + beta
        frozen = jax.lax.stop_gradient(x)
        keep = self.momentum
        self.running_mean[...] = keep * self.running_mean[...] + (1 - keep) * frozen.mean(0)
        self.running_var[...] = keep * self.running_var[...] + (1 - keep) * frozen.var(0)
        return bn_train(x, gamma, beta, jnp.asarray(self.eps, x.dtype))
