import jax
import jax.numpy as jnp
from flax import nnx


class InputNorm(nnx.Module):
    """Normalises raw input columns before they enter the network."""

    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _blend(self, buffer, batch):
        batch = jax.lax.stop_gradient(batch)
        buffer[...] = self.momentum * buffer[...] + (1.0 - self.momentum) * batch

    def _train(self, x):
        x = x - jnp.mean(x, axis=0)
        self._blend(self.running_mean, jnp.mean(x, axis=0))
        var = jnp.mean(jnp.square(x), axis=0)
        self._blend(self.running_var, var)
        return x / jnp.sqrt(var + self.eps)

    def _eval(self, x):
        x = x - self.running_mean[...]
        return x / jnp.sqrt(self.running_var[...] + self.eps)

    def __call__(self, x, use_running_average: bool = False):
        step = self._eval if use_running_average else self._train
        return self.weight[...] * step(x) + self.bias[...]
