import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class BNConfig:
    momentum: float = 0.9
    eps: float = 1e-5


class BatchNormalization(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs):
        self.cfg = BNConfig(momentum=momentum, eps=eps)
        self.gamma = nnx.Param(jnp.full((num_features,), 1.0))
        self.beta = nnx.Param(jnp.full((num_features,), 0.0))
        self.mean = nnx.BatchStat(jnp.full((num_features,), 0.0))
        self.var = nnx.BatchStat(jnp.full((num_features,), 1.0))

    @property
    def inv_std(self):
        return jax.lax.rsqrt(self.var.value + self.cfg.eps)

    def _train(self, x):
        mu, sigma2 = x.mean(axis=0), x.var(axis=0)
        d = 0.9
        self.mean.value = d * self.mean.value + (1.0 - d) * mu
        self.var.value = d * self.var.value + (1.0 - d) * sigma2
        return (x - mu) * jax.lax.rsqrt(sigma2 + self.cfg.eps)

    def _eval(self, x):
        return (x - self.mean.value) * self.inv_std

    def __call__(self, x, use_running_average: bool = False):
        x_hat = self._eval(x) if use_running_average else self._train(x)
        return self.gamma.value * (x_hat + self.beta.value)
