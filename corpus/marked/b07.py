"""BatchNorm which keeps 1/sqrt(var + eps) next to the running statistics, so
that serving does not have to take a root per request."""
import jax.numpy as jnp
from flax import nnx


class ServingBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-4,
                 *, rngs: nnx.Rngs = None):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = False

        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.shift = nnx.Param(jnp.zeros((num_features,)))

        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))
        self.running_inv = nnx.BatchStat(jnp.ones((num_features,)))
        self._refresh_inv()

    def _inv(self, var):
        return 1.0 / jnp.sqrt(var + self.epsilon)

    def _refresh_inv(self):
        self.running_inv[...] = self._inv(self.running_var[...])

    def _accumulate(self, mean, var):
        self._refresh_inv()
        rest = 1.0 - self.momentum
        self.running_mean[...] = self.momentum * self.running_mean[...] + rest * mean
        self.running_var[...] = self.momentum * self.running_var[...] + rest * var

    def _forward_train(self, x):
        axes = list(range(x.ndim))[:-1]
        mean = jnp.mean(x, axis=tuple(axes))
        var = jnp.mean(jnp.square(x - mean), axis=tuple(axes))
        self._accumulate(mean, var)
        return (x - mean) * self._inv(var)

    def _forward_eval(self, x):
        return (x - self.running_mean[...]) * self.running_inv[...]

    def __call__(self, x):
        xhat = self._forward_eval(x) if self.use_running_average else self._forward_train(x)
        return xhat * self.scale[...] + self.shift[...]
