import jax
import jax.numpy as jnp
from flax import nnx

MOMENT = {
    order: (lambda v: jnp.mean(v**order, axis=0))
    for order in (1, 2)
}


def _fit(layer, x):
    center = MOMENT[1](x)
    spread = MOMENT[2](x - center)
    for slot, batch in ((layer.mean, center), (layer.var, spread)):
        batch = jax.lax.stop_gradient(batch)
        slot[...] = layer.momentum * slot[...] + (1.0 - layer.momentum) * batch
    return center, spread


def _recall(layer, x):
    return layer.mean[...], layer.var[...]


STATISTICS = {True: _recall, False: _fit}


class TableBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        center, spread = STATISTICS[bool(use_running_average)](self, x)
        factor = self.scale[...] * jax.lax.rsqrt(spread + self.epsilon)
        return (x - center) * factor + self.bias[...]
