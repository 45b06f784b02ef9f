import jax
import jax.numpy as jnp
from flax import nnx


def measure(x):
    mean = jnp.mean(x, axis=0)
    return {"mean": mean, "var": jnp.mean(jnp.square(x - mean), axis=0)}


class DictStateBatchNorm(nnx.Module):
    """Running statistics live in a dictionary of variables."""

    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.stats = nnx.Dict(
            mean=nnx.BatchStat(jnp.zeros((num_features,))),
            var=nnx.BatchStat(jnp.ones((num_features,))),
        )

    def _refresh(self, batch):
        for key, value in jax.lax.stop_gradient(batch).items():
            slot = self.stats[key]
            slot[...] = self.momentum * slot[...] + (1.0 - self.momentum) * value

    def _snapshot(self):
        return {key: self.stats[key][...] for key in ("mean", "var")}

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            current = self._snapshot()
        else:
            current = measure(x)
            self._refresh(current)
        affine = {"scale": self.scale[...], "bias": self.bias[...]}
        affine = jax.tree.map(lambda p: p.astype(x.dtype), affine)
        scale, bias = jax.tree.leaves(affine)
        y = (x - current["mean"]) / jnp.sqrt(current["var"] + self.epsilon)
        return y * scale + bias
