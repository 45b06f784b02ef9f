import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    """Batch norm with the `deterministic` switch used elsewhere in this code base."""

    scale_init = staticmethod(nnx.initializers.ones_init())
    bias_init = staticmethod(nnx.initializers.zeros_init())

    def __init__(self, num_features, momentum=0.99, epsilon=1e-5, rngs=None):
        key = rngs.params() if rngs is not None else jax.random.key(0)
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(self.scale_init(key, (num_features,), jnp.float32))
        self.bias = nnx.Param(self.bias_init(key, (num_features,), jnp.float32))
        self.ra_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.ra_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x, deterministic: bool = False):
        batch_mean = x.mean(axis=0)
        batch_var = jnp.square(x - batch_mean).mean(axis=0)

        mean = self.ra_mean[...] if deterministic else batch_mean
        var = self.ra_var[...] if deterministic else batch_var

        y = (x - mean) / jnp.sqrt(var + self.epsilon)
        y = y * self.scale[...] + self.bias[...]

        self.ra_mean[...] = self._ema(self.ra_mean[...], batch_mean)
        self.ra_var[...] = self._ema(self.ra_var[...], batch_var)
        return y

    def _ema(self, old, new):
        return self.momentum * old + (1.0 - self.momentum) * jax.lax.stop_gradient(new)
