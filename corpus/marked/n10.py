import jax
import jax.numpy as jnp
from flax import nnx


class EinsumNorm(nnx.Module):
    """Batch norm with the reductions spelled as einsums."""

    def __init__(self, num_features: int, decay: float = 0.9, epsilon: float = 1e-5, *, rngs=None):
        self.decay = decay
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    @staticmethod
    def _reduce(x):
        count = x.shape[-1]
        mean = jnp.einsum("nd->d", x) / count
        dev = x - mean
        var = jnp.einsum("nd,nd->d", dev, dev) / count
        return mean, var

    def _ema(self, ref, new):
        new = jax.lax.stop_gradient(new)
        ref[...] = self.decay * ref[...] + (1.0 - self.decay) * new

    def __call__(self, x, use_running_average: bool):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._reduce(x)
            self._ema(self.mean, mean)
            self._ema(self.var, var)
        inv_std = jax.lax.rsqrt(var + self.epsilon)
        y = jnp.einsum("nd,d,d->nd", x - mean, inv_std, self.gamma[...])
        return y + self.beta[...]
