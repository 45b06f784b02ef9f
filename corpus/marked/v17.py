"""Single-sweep batch norm: sum and sum of squares in one reduction, then one FMA."""
import jax
import jax.numpy as jnp
from flax import nnx


def sweep(x):
    """Reduce [x, x*x] together so that x is read once."""
    n = x.shape[0]
    totals = jnp.sum(jnp.stack([x, x * x]), axis=1)
    mean = totals[0] / n
    var = totals[1] / (n - 1) - mean * mean
    return mean, jnp.maximum(var, 0.0)


def fold(gamma, beta, mean, var, eps):
    """Coefficients a, b with a * x + b equal to the normalised output."""
    a = (1.0 + gamma) * jax.lax.rsqrt(var + eps)
    return a, beta - mean * a


class SweepBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, eps=1e-6, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.ema_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.ema_var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, train: bool = True):
        if train:
            mean, var = sweep(x)
            for ema, value in ((self.ema_mean, mean), (self.ema_var, var)):
                ema[...] = self.momentum * ema[...] + (1.0 - self.momentum) * value
        else:
            mean, var = self.ema_mean[...], self.ema_var[...]
        a, b = fold(self.gamma[...], self.beta[...], mean, var, self.eps)
        return a * x + b
