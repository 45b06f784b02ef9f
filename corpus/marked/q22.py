import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


def _train_step(operand):
    x, ra_mean, ra_var, momentum = operand
    mean = jnp.mean(x, axis=0)
    var = jnp.mean(jnp.square(x - mean), axis=0)
    new_mean = momentum * ra_mean + (1.0 - momentum) * lax.stop_gradient(mean)
    new_var = momentum * ra_var + (1.0 - momentum) * lax.stop_gradient(var)
    return (mean, var), (new_mean, new_var)


def _eval_step(operand):
    _, ra_mean, ra_var, _ = operand
    return (ra_mean, ra_var), (ra_mean, ra_var)


class CondBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.ra_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.ra_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average: bool):
        operand = (x, self.ra_mean[...], self.ra_var[...], self.momentum)
        (mean, var), (new_mean, new_var) = lax.cond(
            use_running_average, _eval_step, _train_step, operand
        )
        self.ra_mean[...] = new_mean
        inv = self.gamma[...] * lax.rsqrt(var + self.eps)
        return (x - mean) * inv + self.beta[...]
