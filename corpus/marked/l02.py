"""BatchNorm1d ported from my torch code base."""
import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.reset_parameters()

    def reset_parameters(self):
        self.gamma = nnx.Param(jnp.ones((self.num_features,)))
        self.beta = nnx.Param(jnp.zeros((self.num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((self.num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((self.num_features,)))

    def forward(self, x, training):
        if training:
            mu = x.mean(axis=0)
            var = x.var(axis=0)
            m = self.momentum
            self.running_mean[...] = (1.0 - m) * self.running_mean[...] + m * mu
            self.running_var[...] = m * self.running_var[...] + (1.0 - m) * var
        else:
            mu = self.running_mean[...]
            var = self.running_var[...]
        out = (x - mu) * jax.lax.rsqrt(var + self.eps)
        return out * self.gamma[...] + self.beta[...]

    def __call__(self, x, use_running_average: bool = False):
        return self.forward(x, training=not use_running_average)
