import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = self._make(nnx.Param, 1.0)
        self.offset = self._make(nnx.Param, 0.0)
        self.mean_ema = self._make(nnx.BatchStat, 0.0)
        self.var_ema = self._make(nnx.BatchStat, 0.0)

    def _make(self, kind, fill):
        return kind(jnp.full((self.num_features,), fill, dtype=jnp.float32))

    def _apply(self, x, mean, var):
        inv = self.scale[...] / jnp.sqrt(var + self.epsilon)
        return inv * (x - mean) + self.offset[...]

    def __call__(self, x, is_training=True):
        if is_training:
            mean = jnp.mean(x, axis=0)
            mean_of_squares = jnp.mean(jnp.square(x), axis=0)
            var = mean_of_squares - jnp.square(mean)
            decay = self.momentum
            self.mean_ema[...] = self.mean_ema[...] * decay + mean * (1 - decay)
            self.var_ema[...] = self.var_ema[...] * decay + var * (1 - decay)
        else:
            mean = self.mean_ema[...]
            var = self.var_ema[...]
        return self._apply(x, mean, var)
