import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.9,
                 eps: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.eps = eps
        self.momentum = momentum
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _whiten(self, x, mean, var):
        return (x - mean) / jnp.sqrt(var + self.eps)

    def __call__(self, x, *, training: bool = True):
        if not training:
            return self._whiten(x, self.running_mean[...], self.running_var[...])

        batch_mean = jnp.mean(x, axis=0)
        batch_var = jnp.var(x, axis=0)
        self.running_mean[...] = (
            self.momentum * self.running_mean[...] + (1 - self.momentum) * batch_mean
        )
        self.running_var[...] = (
            self.momentum * self.running_var[...] + (1 - self.momentum) * batch_var
        )

        x_hat = self._whiten(x, batch_mean, batch_var)
        return self.gamma[...] * x_hat + self.beta[...]
