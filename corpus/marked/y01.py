"""torch.nn.BatchNorm1d rewritten as a Flax NNX module.

Only the (N, C) case is needed by the tabular models, so the (N, C, L)
branch of the original was dropped in the port.
"""
from typing import Optional

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.9,
        *,
        rngs: Optional[nnx.Rngs] = None,
    ):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.use_running_average = False
        # parameters
        self.weight = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        # buffers
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _track(self, mean: jax.Array, var: jax.Array, n: int) -> None:
        """Moves the buffers towards the statistics of this batch."""
        keep, take = 1.0 - self.momentum, self.momentum
        var_n = var * (n / max(n - 1, 1))
        self.running_mean[...] = keep * self.running_mean[...] + take * mean
        self.running_var[...] = keep * self.running_var[...] + take * var_n

    def __call__(
        self, input: jax.Array, use_running_average: Optional[bool] = None
    ) -> jax.Array:
        if use_running_average is None:
            use_running_average = self.use_running_average

        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean = input.mean(axis=0)
            var = jnp.square(input - mean).mean(axis=0)
            self._track(mean, var, input.shape[0])

        out = (input - mean) * jax.lax.rsqrt(var + self.eps)
        return out * self.weight[...] + self.bias[...]
