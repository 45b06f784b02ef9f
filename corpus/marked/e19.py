import jax
import jax.numpy as jnp
from flax import nnx

SLOTS = (
    ("scale", nnx.Param, 1.0),
    ("bias", nnx.Param, 0.0),
    ("mean", nnx.BatchStat, 0),
    ("var", nnx.BatchStat, 1),
)


class DeclaredBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        for name, kind, fill in SLOTS:
            setattr(self, name, kind(jnp.full((num_features,), fill)))

    def _store(self, slot, batch):
        value = slot[...]
        mixed = self.momentum * value + (1.0 - self.momentum) * jax.lax.stop_gradient(batch)
        slot[...] = mixed.astype(value.dtype)

    def _statistics(self, x):
        xf = x.astype(jnp.float32)
        mean = xf.mean(axis=0)
        var = jnp.square(xf - mean).mean(axis=0)
        self._store(self.mean, mean)
        self._store(self.var, var)
        return mean, var

    def __call__(self, x, training=True):
        mean, var = self._statistics(x) if training else (self.mean[...], self.var[...])
        y = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        y = y * self.scale[...] + self.bias[...]
        return y.astype(x.dtype)
