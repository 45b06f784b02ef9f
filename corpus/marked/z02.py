"""BatchNorm written with einsum contractions."""
import jax.numpy as jnp
from flax import nnx


def _feature_mean(x):
    weights = jnp.full((x.shape[0],), 1.0 / x.shape[0], dtype=x.dtype)
    return jnp.einsum("n,nd->d", weights, x)


def _feature_var(x, mean):
    centred = x - mean
    return jnp.einsum("nd,nd->d", centred, centred) / x.shape[0]


class EinsumBatchNorm(nnx.Module):
    """Batch normalisation over axis 0 of an (N, D) batch.

    decay:   weight of the old value in the running statistics.
    epsilon: constant added to the variance for numerical stability.
    """

    def __init__(self, num_features: int, decay: float = 0.99,
                 epsilon: float = 1e-3, *, rngs: nnx.Rngs | None = None):
        self.decay = decay
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.moving_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.moving_var = nnx.BatchStat(jnp.ones(num_features))

    def _whiten(self, x, mean, var):
        std = jnp.sqrt(var) + self.epsilon
        return jnp.einsum("nd,d->nd", x - mean, 1.0 / std)

    def __call__(self, x, train: bool = True):
        if train:
            mean = _feature_mean(x)
            var = _feature_var(x, mean)
            self._blend(self.moving_mean, mean)
            self._blend(self.moving_var, var)
        else:
            mean, var = self.moving_mean[...], self.moving_var[...]
        x_hat = self._whiten(x, mean, var)
        return jnp.einsum("nd,d->nd", x_hat, self.gamma[...]) + self.beta[...]

    def _blend(self, stat, value):
        stat[...] = self.decay * stat[...] + (1.0 - self.decay) * value
