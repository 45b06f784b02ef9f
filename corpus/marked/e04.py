import jax.numpy as jnp
from flax import nnx
from jax.lax import stop_gradient


def row_parts(x, size):
    for start in range(0, x.shape[0], size):
        yield x[start : start + size]


def accumulate(terms, width):
    total = jnp.zeros((width,), jnp.float32)
    for term in terms:
        total = total + term.sum(axis=0)
    return total


def streamed_moments(x, size):
    rows, width = x.shape
    parts = row_parts(x, size)
    mean = accumulate(parts, width) / rows
    var = accumulate(((part - mean) ** 2 for part in parts), width) / rows
    return mean, var


class StreamedBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.95, eps=1e-3, part_size=16, rngs=None):
        self.momentum, self.eps, self.part_size = momentum, eps, part_size
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def _remember(self, **fresh):
        for name, value in fresh.items():
            slot = getattr(self, name)
            slot[...] = slot[...] * self.momentum + stop_gradient(value) * (1.0 - self.momentum)

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = streamed_moments(x, self.part_size)
            self._remember(mean=mean, var=var)
        normed = (x - mean) / jnp.sqrt(var + self.eps)
        return normed * self.scale[...] + self.bias[...]
