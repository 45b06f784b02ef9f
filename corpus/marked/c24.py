"""BatchNorm with the branch on the device and a refined reciprocal root."""
import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


def newton_step(r, v):
    """One Newton iteration for r ~ v ** -0.5."""
    return r * (1.5 - 0.5 * v * r * r)


class DeviceBranchBatchNorm(nnx.Module):
    """Batch norm that can sit in a scanned train/eval loop (``lax.cond``)."""

    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-3, *,
                 refine: bool = True, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.refine = refine
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def inverse_root(self, var):
        r = lax.rsqrt(var + self.epsilon)
        # the hardware approximation has about 12 good bits
        return newton_step(r, var) if self.refine else r

    def _stats(self, x, training):
        m = self.momentum

        def on_train(x, run_mean, run_var):
            axes = tuple(range(x.ndim - 1))
            mean = jnp.mean(x, axis=axes)
            var = jnp.mean(jnp.square(x - mean), axis=axes)
            new = m * run_mean + (1 - m) * mean, m * run_var + (1 - m) * var
            return (mean, var), new

        def on_eval(x, run_mean, run_var):
            return (run_mean, run_var), (run_mean, run_var)

        return lax.cond(training, on_train, on_eval, x, self.mean[...], self.var[...])

    def __call__(self, x, training=True):
        (mean, var), (run_mean, run_var) = self._stats(x, jnp.asarray(training))
        self.mean[...] = run_mean
        self.var[...] = run_var
        return (x - mean) * self.inverse_root(var) * self.gamma[...] + self.beta[...]
