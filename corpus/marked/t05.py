import jax
import jax.numpy as jnp
from flax import nnx


class TreeBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.params = nnx.Dict(
            scale=nnx.Param(jnp.ones(num_features)),
            bias=nnx.Param(jnp.zeros(num_features)),
        )
        self.stats = nnx.Dict(
            mean=nnx.BatchStat(jnp.zeros(num_features)),
            var=nnx.BatchStat(jnp.ones(num_features)),
        )

    def _running(self):
        return {k: self.stats[k][...] for k in ("mean", "var")}

    def _commit(self, batch):
        m = self.momentum
        new = jax.tree.map(lambda r, b: m * r + (1 - m) * b, self._running(), batch)
        for k, v in new.items():
            self.stats[k][...] = v

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            st = self._running()
        else:
            st = {"mean": x.mean(0), "var": x.var(0)}
            st = jax.tree.map(jax.lax.stop_gradient, st)
            self._commit(st)
        y = (x - st["mean"]) * jax.lax.rsqrt(st["var"] + self.eps)
        return y * self.params["scale"][...] + self.params["bias"][...]
