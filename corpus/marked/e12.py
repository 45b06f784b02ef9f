import jax
import jax.numpy as jnp
from flax import nnx, struct
from jax import lax


@struct.dataclass
class Tally:
    count: jax.Array
    mean: jax.Array
    m2: jax.Array


def absorb(tally, row):
    count = tally.count + 1.0
    delta = row - tally.mean
    mean = tally.mean + delta / count
    m2 = tally.m2 + delta * (row - mean)
    return Tally(count=count, mean=mean, m2=m2), None


def online_moments(x):
    seed = Tally(count=jnp.float32(1.0), mean=x[0], m2=jnp.zeros_like(x[0]))
    tally, _ = lax.scan(absorb, seed, x)
    return tally.mean, tally.m2 / tally.count


class WelfordBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        shape = (num_features,)
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(shape))
        self.bias = nnx.Param(jnp.zeros(shape))
        self.mean = nnx.BatchStat(jnp.zeros(shape))
        self.var = nnx.BatchStat(jnp.ones(shape))
        self.use_running_average = False

    def __call__(self, x, use_running_average=None):
        frozen = self.use_running_average if use_running_average is None else use_running_average
        if frozen:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = online_moments(x)
            blend = lambda old, new: self.momentum * old + (1 - self.momentum) * new
            self.mean[...] = blend(self.mean[...], lax.stop_gradient(mean))
            self.var[...] = blend(self.var[...], lax.stop_gradient(var))
        y = (x - mean) / jnp.sqrt(var + self.epsilon)
        return y * self.scale[...] + self.bias[...]
