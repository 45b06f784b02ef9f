"""BatchNorm on einsum contractions.

The data are shifted by the current running mean before the one-pass moments are
taken, which keeps the subtraction well conditioned once training is under way.
"""
import jax.numpy as jnp
from flax import nnx


class EinsumBatchNorm(nnx.Module):

    def __init__(self, num_features, rngs=None, momentum=0.9, epsilon=1e-5):
        self.momentum = momentum
        self.epsilon = epsilon
        self.ra_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.ra_var = nnx.BatchStat(jnp.ones(num_features))
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))

    def moments(self, rows):
        n = rows.shape[0]
        shift = self.ra_mean[...]
        r = rows - shift
        first = jnp.einsum("nc->c", r) / n
        second = jnp.einsum("nc,nc->c", r, r) / n
        mean = shift + first
        var = jnp.maximum(second - mean * mean, 0.0)
        return mean, var

    def __call__(self, x, train: bool = False):
        *lead, c = x.shape
        rows = jnp.reshape(x, (-1, c))

        if train:
            mean, var = self.moments(rows)
            weights = jnp.array([self.momentum, 1.0 - self.momentum])
            self.ra_mean[...] = jnp.einsum(
                "k,kc->c", weights, jnp.stack([self.ra_mean[...], mean]))
            self.ra_var[...] = jnp.einsum(
                "k,kc->c", weights, jnp.stack([self.ra_var[...], var]))
        else:
            mean = self.ra_mean[...]
            var = self.ra_var[...]

        rstd = (var + self.epsilon) ** -0.5
        y = jnp.einsum("nc,c,c->nc", rows - mean, rstd, self.gamma[...])
        return jnp.reshape(y + self.beta[...], (*lead, c))
