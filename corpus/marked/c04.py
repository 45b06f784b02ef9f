import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class WelfordBatchNorm(nnx.Module):
    """Batch normalisation whose statistics are accumulated row by row.

    Slow on an accelerator, but a single pass and free of the cancellation in
    E[x^2] - E[x]^2.  Handy as an oracle for the fused layer.
    """

    def __init__(self, dim: int, *, momentum: float = 0.9, epsilon: float = 1e-5,
                 training: bool = True, rngs: nnx.Rngs | None = None):
        self.dim = dim
        self.momentum = momentum
        self.epsilon = epsilon
        self.training = training
        self.weight = nnx.Param(jnp.ones((dim,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((dim,), jnp.float32))
        self.running_mean = nnx.BatchStat(jnp.zeros((dim,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((dim,), jnp.float32))

    @staticmethod
    def welford(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        n, d = rows.shape

        def step(i, carry):
            mean, m2 = carry
            delta = rows[i] - mean
            mean = mean + delta / (i + 1)
            m2 = m2 + delta * delta
            return mean, m2

        zero = jnp.zeros((d,), rows.dtype)
        mean, m2 = lax.fori_loop(1, n, step, (rows[0], zero))
        return mean, m2 / n

    def train(self, **attributes):
        super().train(training=True, **attributes)

    def eval(self, **attributes):
        super().eval(training=False, **attributes)

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.training:
            mean, var = self.welford(x.reshape(-1, self.dim))
            keep = self.momentum
            self.running_mean.set_value(keep * self.running_mean[...] + (1 - keep) * mean)
            self.running_var.set_value(keep * self.running_var[...] + (1 - keep) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.weight[...] + self.bias[...]
