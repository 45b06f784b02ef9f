import jax
import jax.numpy as jnp
from flax import nnx


class TreeBatchNorm(nnx.Module):
    """BatchNorm where the statistics are handled as one pytree."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _load(self):
        return {"mean": self.mean.value, "var": self.var.value}

    def _store(self, stats):
        self.mean.value = stats["mean"]
        self.var.value = stats["var"]

    def __call__(self, x, use_running_average=False):
        m = self.momentum
        batch = {"mean": jnp.mean(x, axis=0), "var": jnp.var(x, axis=0)}
        running = self._load()
        blended = jax.tree.map(lambda r, b: m * r + (1 - m) * b, running, batch)
        self._store(blended)

        stats = running if use_running_average else batch
        x_hat = (x - stats["mean"]) / jnp.sqrt(stats["var"] + self.eps)
        return self.gamma.value * x_hat + self.beta.value
