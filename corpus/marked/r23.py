import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormLayer(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running = nnx.Dict(
            mean=nnx.BatchStat(jnp.zeros((num_features,))),
            var=nnx.BatchStat(jnp.ones((num_features,))),
        )

    def _update_running(self, batch):
        for key, stat in self.running.items():
            stat.set_value(self.momentum * stat[...] + (1 - self.momentum) * batch[key])

    def _normalize(self, x, stats):
        centered = x - stats["mean"]
        return centered * jax.lax.rsqrt(stats["var"] + self.eps)

    def __call__(self, x, use_running_average=False):
        assert x.ndim == 2 and x.shape[1] == self.num_features

        batch = {"mean": jnp.mean(x, axis=0), "var": jnp.var(x, axis=0)}
        if use_running_average:
            stats = {key: stat[...] for key, stat in self.running.items()}
        else:
            stats = batch
        self._update_running(batch)

        return self._normalize(x, stats) * self.gamma[...] + self.beta[...]
