import jax
from jax import lax, numpy as jnp
from flax import nnx


class CondBatchNorm(nnx.Module):
    """Batch normalization that selects its statistics with ``lax.cond``.

    ``use_running_average`` may be a Python bool or a traced scalar.
    """

    def __init__(self, features: int, *, momentum: float = 0.99,
                 epsilon: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x: jax.Array, use_running_average=False) -> jax.Array:
        stored = (self.mean[...], self.var[...])

        def from_batch(x):
            return jnp.mean(x, axis=0), jnp.var(x, axis=0)

        def from_running(x):
            return stored

        mean, var = lax.cond(use_running_average, from_batch, from_running, x)

        keep = jnp.where(use_running_average, 1.0, self.momentum)
        batch = lax.stop_gradient(from_batch(x))
        self.mean[...] = keep * stored[0] + (1.0 - keep) * batch[0]
        self.var[...] = keep * stored[1] + (1.0 - keep) * batch[1]

        y = (x - mean) * lax.rsqrt(var + self.epsilon)
        return y * self.scale[...] + self.bias[...]
