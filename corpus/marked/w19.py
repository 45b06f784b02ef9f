"""Batch norm whose mode may be a traced boolean.

``train`` can be a Python bool or a jax scalar (we flip it inside a scanned
schedule), therefore both paths are expressed as branches of lax.cond with
the same output structure: (output, next mean, next var).
"""
import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def make_branches(momentum, eps):
    def normalise(x, mean, var):
        return (x - mean) * lax.rsqrt(var + eps)

    def moments(x):
        mean = jnp.mean(x, axis=0)
        return mean, jnp.mean(lax.square(x - mean), axis=0)

    def blend(old, new):
        return momentum * old + (1.0 - momentum) * new

    def train_branch(x, ra_mean, ra_var):
        mean, var = moments(x)
        return normalise(x, mean, var), blend(ra_mean, mean), blend(ra_var, var)

    def eval_branch(x, ra_mean, ra_var):
        mean, var = moments(x)
        return normalise(x, ra_mean, ra_var), blend(ra_mean, mean), blend(ra_var, var)

    return train_branch, eval_branch


class SwitchableBatchNorm(nnx.Module):
    """y = gamma * x_hat + beta with a traceable mode flag."""

    def __init__(self, num_features: int, momentum: float = 0.9,
                 epsilon: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x: jax.Array, train=True) -> jax.Array:
        on_train, on_eval = make_branches(self.momentum, self.epsilon)
        x_hat, mean, var = lax.cond(
            jnp.asarray(train, dtype=bool),
            on_train,
            on_eval,
            x, self.mean[...], self.var[...],
        )
        self.mean[...] = mean
        self.var[...] = var
        return self.gamma[...] * x_hat + self.beta[...]
