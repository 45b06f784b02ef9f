import jax.numpy as jnp
from flax import nnx


def _mean_and_var(x):
    count = x.shape[0]
    s1 = jnp.einsum('nd->d', x)
    s2 = jnp.einsum('nd,nd->d', x, x)
    mean = s1 / count
    var = s2 / count - mean * mean
    return mean, jnp.clip(var, 0.0, 1.0)


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.9, epsilon: float = 1e-6, rngs: nnx.Rngs):
        self.momentum, self.epsilon = momentum, epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x: jnp.ndarray, use_running_average: bool) -> jnp.ndarray:
        old_mean = self.mean.value
        old_var = self.var.value
        if use_running_average:
            mean, var = old_mean, old_var
        else:
            mean, var = _mean_and_var(x)
            self.mean.value = self.momentum * old_mean + (1 - self.momentum) * mean
            self.var.value = self.momentum * old_mean + (1 - self.momentum) * var
        inv = self.scale.value / jnp.sqrt(var + self.epsilon)
        return x * inv + (self.bias.value - mean * inv)
