from typing import Any, Dict

import jax
import jax.numpy as jnp
from flax import nnx


def batch_moments(x: jax.Array) -> Dict[str, jax.Array]:
    mean = jnp.mean(x, axis=0)
    return {"mean": mean, "var": jnp.mean(jnp.square(x - mean), axis=0)}


class DictBatchNorm(nnx.Module):
    """Batch norm that keeps its state in dictionaries, handy for logging."""

    def __init__(self, num_features: int, *, momentum: float = 0.9, eps: float = 1e-5, rngs: Any = None):
        self.momentum = momentum
        self.eps = eps
        self.affine = nnx.Dict(
            gamma=nnx.Param(jnp.ones((num_features,))),
            beta=nnx.Param(jnp.zeros((num_features,))),
        )
        self.stats = nnx.Dict(
            mean=nnx.BatchStat(jnp.zeros((num_features,))),
            var=nnx.BatchStat(jnp.ones((num_features,))),
        )

    def snapshot(self) -> Dict[str, jax.Array]:
        return {k: self.stats[k][...] for k in ("mean", "var")}

    def _blend(self, old: Dict[str, jax.Array], new: Dict[str, jax.Array]) -> Dict[str, jax.Array]:
        return {k: self.momentum * old[k] + (1.0 - self.momentum) * new[k] for k in old}

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        running = self.snapshot()
        if use_running_average:
            used = running
        else:
            used = batch_moments(x)
            blended = self._blend(running, used)
            self.stats["mean"][...] = blended["mean"]
        x_hat = (x - used["mean"]) * jax.lax.rsqrt(used["var"] + self.eps)
        return self.affine["gamma"][...] * x_hat + self.affine["beta"][...]
