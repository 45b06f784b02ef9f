"""BatchNorm with an explicit precision policy (float32 in, float32 out)."""
import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class Precision:
    """Which dtype is used where.

    storage: parameters and running statistics.
    reduce: operands of the reductions over the batch.
    output: what the layer returns.
    """
    storage: Any = jnp.float32
    reduce: Any = jnp.float32
    output: Any = jnp.float32


FULL = Precision()
MIXED = Precision(reduce=jnp.bfloat16)


class PolicyBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *,
                 precision: Precision = MIXED, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.precision = precision
        self.scale = nnx.Param(jnp.ones((num_features,), precision.storage))
        self.bias = nnx.Param(jnp.zeros((num_features,), precision.storage))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), precision.storage))
        self.var = nnx.BatchStat(jnp.ones((num_features,), precision.storage))

    def _batch_stats(self, x):
        p = self.precision
        xr = x.astype(p.reduce)
        mean = jnp.mean(xr, axis=0)
        var = jnp.mean(jnp.square(xr - mean), axis=0)
        return mean.astype(p.storage), var.astype(p.storage)

    def __call__(self, x, training: bool = True):
        if training:
            mean, var = self._batch_stats(x)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1 - m) * mean
            self.var[...] = m * self.var[...] + (1 - m) * var
        else:
            mean, var = self.mean[...], self.var[...]
        x_hat = (x.astype(self.precision.storage) - mean) / jnp.sqrt(var + self.epsilon)
        y = x_hat * self.scale[...] + self.bias[...]
        return y.astype(self.precision.output)
