import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum, self.eps = momentum, eps
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def _train_step(self, x):
        mean = jnp.sum(x, axis=0) / len(x)
        var = jnp.sum((x - mean) ** 2, axis=0) / len(x)
        self.mean.value = self.momentum * self.mean.value + (1 - self.momentum) * mean
        self.var.value = self.momentum * self.var.value + (1 - self.momentum) * var
        return (x - self.mean.value) / jnp.sqrt(var + self.eps)

    def _eval_step(self, x):
        return (x - self.mean.value) / jnp.sqrt(self.var.value + self.eps)

    def __call__(self, x, use_running_average=False):
        step = self._eval_step if use_running_average else self._train_step
        return step(x) * self.scale.value + self.bias.value
