import jax
import jax.numpy as jnp
from flax import nnx


def second_moment(a: jax.Array) -> jax.Array:
    """Mean of squares of every column."""
    return jnp.einsum("nd,nd->d", a, a, precision="highest") / a.shape[-1]


def first_moment(a: jax.Array) -> jax.Array:
    return jnp.einsum("nd->d", a) / a.shape[0]


class EinsumBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.params_gamma = nnx.Param(jnp.ones((num_features,), dtype=jnp.float32))
        self.params_beta = nnx.Param(jnp.zeros((num_features,), dtype=jnp.float32))
        self.stat_mean = nnx.BatchStat(jnp.zeros((num_features,), dtype=jnp.float32))
        self.stat_var = nnx.BatchStat(jnp.ones((num_features,), dtype=jnp.float32))

    def _update(self, variable, value):
        value = jax.lax.stop_gradient(value)
        variable[...] = self.momentum * variable[...] + (1.0 - self.momentum) * value

    def __call__(self, x, use_running_average: bool):
        if use_running_average:
            centered = x - self.stat_mean[...]
            var = self.stat_var[...]
        else:
            mean = first_moment(x)
            centered = x - mean
            var = second_moment(centered)
            self._update(self.stat_mean, mean)
            self._update(self.stat_var, var)
        weight = self.params_gamma[...] * jax.lax.rsqrt(var + self.eps)
        return jnp.einsum("nd,d->nd", centered, weight) + self.params_beta[...]
