import jax.numpy as jnp
from flax import nnx

# name -> callable, so that configs can be plain strings
INITS = {
    "zeros": jnp.zeros,
    "ones": jnp.ones,
}
REDUCERS = {}


def reducer(name):
    def register(fn):
        REDUCERS[name] = fn
        return fn
    return register


@reducer("mean")
def _reduce_mean(x, axes):
    return jnp.mean(x, axis=axes)


@reducer("var")
def _reduce_var(x, axes):
    return jnp.var(x, axis=axes)


class RegistryBatchNorm(nnx.Module):
    """y = (x - mean) / sqrt(var + eps) * gamma + beta, statistics from a registry."""

    STATS = ("mean", "var")

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5,
                 gamma_init="ones", beta_init="zeros", stats_init="zeros", rngs=None):
        shape = (num_features,)
        self.momentum = momentum
        self.eps = eps
        self.deterministic = False
        self.gamma = nnx.Param(INITS[gamma_init](shape))
        self.beta = nnx.Param(INITS[beta_init](shape))
        for name in self.STATS:
            setattr(self, f"running_{name}", nnx.BatchStat(INITS[stats_init](shape)))

    def _running(self, name):
        return getattr(self, f"running_{name}")

    def _update(self, name, value):
        stat = self._running(name)
        stat[...] = self.momentum * stat[...] + (1 - self.momentum) * value

    def __call__(self, x, deterministic=None):
        if deterministic is None:
            deterministic = self.deterministic
        if deterministic:
            stats = {name: self._running(name)[...] for name in self.STATS}
        else:
            axes = tuple(range(x.ndim - 1))
            stats = {name: REDUCERS[name](x, axes) for name in self.STATS}
            for name, value in stats.items():
                self._update(name, value)
        xhat = (x - stats["mean"]) / jnp.sqrt(stats["var"] + self.eps)
        return xhat * self.gamma[...] + self.beta[...]
