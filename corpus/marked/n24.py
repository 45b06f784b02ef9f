import jax
import jax.numpy as jnp
from flax import nnx


def ema(old, new, decay):
    """Moving average that no gradient flows through."""
    return decay * old + (1.0 - decay) * jax.lax.stop_gradient(new)


def moments(x):
    mean = jnp.mean(x, axis=0)
    var = jnp.mean(jnp.square(x - mean), axis=0)
    return jax.lax.stop_gradient((mean, var))


def bn_formula(x, mean, var, gamma, beta, eps):
    return gamma * (x - mean) / jnp.sqrt(var + eps) + beta


class TabularBatchNorm(nnx.Module):
    def __init__(self, num_features: int, decay: float = 0.9, eps: float = 1e-5, *, rngs=None):
        self.decay = decay
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if train:
            mean, var = moments(x)
            self.mean.value = ema(self.mean.value, mean, self.decay)
            self.var.value = ema(self.var.value, var, self.decay)
        else:
            mean, var = self.mean.value, self.var.value
        return bn_formula(
            x, mean, var, gamma=self.gamma.value, beta=self.beta.value, eps=self.eps
        )
