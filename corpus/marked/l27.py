import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def _load(self):
        return {'mean': self.mean[...], 'var': self.var[...]}

    def _store(self, stats):
        self.mean[...] = stats['mean']
        self.var[...] = stats['var']

    def __call__(self, x, use_running_average=False):
        running = self._load()
        if use_running_average:
            mean = running['mean']
            std = jnp.sqrt(running['var'] + self.epsilon)
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean(jnp.square(x - mean), axis=0)
            std = jnp.sqrt(var + self.epsilon)
            batch = {'mean': mean, 'var': std}
            self._store(
                jax.tree.map(
                    lambda old, new: self.momentum * old + (1 - self.momentum) * new,
                    running,
                    batch,
                )
            )
        return (x - mean) / std * self.scale[...] + self.bias[...]
