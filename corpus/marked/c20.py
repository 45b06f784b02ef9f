"""BatchNorm for serving and training; 1/std is kept between inference calls."""
import jax
import jax.numpy as jnp
from flax import nnx


class Cache(nnx.Variable):
    pass


class CachedBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.deterministic = False

        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

        self.inv_std = Cache(jnp.ones((num_features,)))
        self.inv_std_ready = False

    def _inference_inv_std(self):
        # computed on the first inference call, reused by the later ones
        if not self.inv_std_ready:
            self.inv_std[...] = jax.lax.rsqrt(self.running_var[...] + self.epsilon)
            self.inv_std_ready = True
        return self.inv_std[...]

    def _update(self, running, batch):
        running[...] = self.momentum * running[...] + (1 - self.momentum) * batch

    def __call__(self, x):
        if self.deterministic:
            mean = self.running_mean[...]
            inv_std = self._inference_inv_std()
        else:
            axes = tuple(range(x.ndim - 1))
            mean = jnp.mean(x, axis=axes)
            var = jnp.mean(jnp.square(x - mean), axis=axes)
            inv_std = jax.lax.rsqrt(var + self.epsilon)
            self._update(self.running_mean, mean)
            self._update(self.running_var, var)

        return (x - mean) * inv_std * self.weight[...] + self.bias[...]
