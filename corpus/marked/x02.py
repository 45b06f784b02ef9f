"""Port of torch.nn.BatchNorm1d (affine=True, track_running_stats=True) to NNX."""
from __future__ import annotations

import jax.numpy as jnp
from flax import nnx
from jax import Array, lax


class BatchNorm1d(nnx.Module):
    """Same conventions as the PyTorch layer.

    ``momentum`` is the weight of the *new* observation. The batch is normalised
    with the biased variance; ``running_var`` tracks the unbiased one.
    Unlike PyTorch, a single row is accepted in training mode.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _check_input_dim(self, x: Array) -> None:
        if x.ndim != 2:
            raise ValueError(f"expected 2D input (got {x.ndim}D input)")
        if x.shape[1] != self.num_features:
            raise ValueError(f"expected {self.num_features} features, got {x.shape[1]}")

    def _update_running_stats(self, mean: Array, var: Array, n: int) -> None:
        mean, var = lax.stop_gradient((mean, var))
        if n > 1:
            var = var * (n - 1) / n
        m = self.momentum
        self.running_mean[...] = (1.0 - m) * self.running_mean[...] + m * mean
        self.running_var[...] = (1.0 - m) * self.running_var[...] + m * var

    def __call__(self, x: Array, training: bool) -> Array:
        self._check_input_dim(x)
        if training:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            self._update_running_stats(mean, var, x.shape[0])
        else:
            mean = self.running_mean[...]
            var = self.running_var[...]
        x_hat = (x - mean) * lax.rsqrt(var + self.eps)
        return x_hat * self.weight[...] + self.bias[...]
