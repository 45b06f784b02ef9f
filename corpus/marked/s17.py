"""hk.BatchNorm ported to nnx: the moving averages are little modules of their own."""
import jax
import jax.numpy as jnp
from flax import nnx


class MovingAverage(nnx.Module):
    def __init__(self, shape, init_value, decay):
        self.decay = decay
        self.average = nnx.BatchStat(jnp.full(shape, init_value, jnp.float32))

    def update(self, value):
        self.average.value = self.average.value * self.decay + value * (1 - self.decay)


class BatchNorm(nnx.Module):
    def __init__(
        self,
        num_features,
        *,
        momentum=0.9,
        eps=1e-5,
        rngs=None,
    ):
        shape = (num_features,)
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(shape))
        self.offset = nnx.Param(jnp.zeros(shape))
        self.mean_ema = MovingAverage(shape, 0.0, momentum)
        self.var_ema = MovingAverage(shape, 0.0, momentum)

    def __call__(self, inputs, use_running_average=False):
        if use_running_average:
            mean = self.mean_ema.average.value
            var = self.var_ema.average.value
        else:
            mean = jnp.mean(inputs, axis=0)
            var = jnp.var(inputs, axis=0)
            self.mean_ema.update(mean)
            self.var_ema.update(var)

        inv = self.scale.value * jax.lax.rsqrt(var + self.eps)
        return (inputs - mean) * inv + self.offset.value
