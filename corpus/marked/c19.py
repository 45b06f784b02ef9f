import jax
import jax.numpy as jnp
from flax import nnx


def select(flag, on_true, on_false):
    """jnp.where over two pytrees, for a flag that may be traced."""
    return jax.tree.map(lambda t, f: jnp.where(flag, t, f), on_true, on_false)


class TraceableBatchNorm(nnx.Module):
    """The mode is data here, not Python control flow.

    ``is_eval`` may be a traced boolean, so the same compiled step can serve for
    training and for validation.
    """

    def __init__(self, features: int, *, momentum: float = 0.9, epsilon: float = 1e-5,
                 rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(features))
        self.beta = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def _stored(self):
        return {"mean": self.mean[...], "var": self.var[...]}

    def _measured(self, x):
        axes = tuple(range(x.ndim))[:-1]
        mean = jnp.average(x, axis=axes)
        return {"mean": mean, "var": jnp.average((x - mean) ** 2, axis=axes)}

    def _store(self, stats):
        self.mean[...] = stats["mean"]
        self.var[...] = stats["var"]

    def __call__(self, x, is_eval=False):
        stored, measured = self._stored(), self._measured(x)
        used = select(is_eval, stored, measured)

        mixed = jax.tree.map(
            lambda old, new: self.momentum * old + (1 - self.momentum) * new,
            stored, measured,
        )
        self._store(mixed)

        y = (x - used["mean"]) / jnp.sqrt(used["var"] + self.epsilon)
        return y * self.gamma[...] + self.beta[...]
