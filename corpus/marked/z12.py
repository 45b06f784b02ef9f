"""BatchNorm layer with one shared normalisation path for both modes."""
from jax import lax
import jax.numpy as jnp
from flax import nnx


class SharedPathBatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.9,
                 epsilon: float = 1e-5, rngs: nnx.Rngs | None = None):
        shape = (num_features,)
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(shape))
        self.bias = nnx.Param(jnp.zeros(shape))
        self.mean = nnx.BatchStat(jnp.zeros(shape))
        self.var = nnx.BatchStat(jnp.ones(shape))

    def _refresh(self, x):
        """Fold the statistics of this batch into the running averages."""
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(lax.square(x - mean), axis=0)
        blend = lambda old, new: self.momentum * old + (1 - self.momentum) * new
        self.mean[...] = blend(self.mean[...], mean)
        self.var[...] = blend(self.var[...], var)
        return self.mean[...], self.var[...]

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._refresh(x)
        y = x - mean
        y = y * lax.rsqrt(var + self.epsilon)
        y = y * self.scale[...]
        return y + self.bias[...]
