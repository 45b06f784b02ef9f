"""Streaming batch norm: the moments are gathered block by block with lax.scan."""
import jax
import jax.numpy as jnp
from flax import nnx

BLOCK = 4


def _fold_block(carry, block):
    rows, mask = block
    count, mean, m2 = carry
    n_b = mask.sum()
    mean_b = (rows * mask[:, None]).sum(0) / n_b
    m2_b = (jnp.square(rows - mean_b) * mask[:, None]).sum(0)
    total = count + n_b
    delta = mean_b - mean
    mean = mean + delta * (n_b / total)
    m2 = m2 + m2_b
    return (total, mean, m2), None


def streaming_moments(x):
    n, d = x.shape
    pad = -n % BLOCK
    rows = jnp.pad(x, ((0, pad), (0, 0))).reshape(-1, BLOCK, d)
    mask = jnp.pad(jnp.ones(n, x.dtype), (0, pad)).reshape(-1, BLOCK)
    init = (jnp.zeros((), x.dtype), jnp.zeros(d, x.dtype), jnp.zeros(d, x.dtype))
    (count, mean, m2), _ = jax.lax.scan(_fold_block, init, (rows, mask))
    return mean, m2 / count


class StreamingBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        key = rngs.params() if rngs is not None else jax.random.key(0)
        # weights_init as in the generator / discriminator scripts
        self.scale = nnx.Param(1.0 + 0.02 * jax.random.normal(key, (features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = streaming_moments(x)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1 - m) * mean
            self.var[...] = m * self.var[...] + (1 - m) * var
        y = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return y * self.scale[...] + self.bias[...]
