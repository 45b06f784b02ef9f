"""Functional core / stateful shell: pure functions over small pytrees, and a thin
NNX module around them."""
import jax
import jax.numpy as jnp
from flax import nnx


# ---------------------------------------------------------------- pure core
def init_params(d):
    return {"scale": jnp.ones((d,)), "bias": jnp.zeros((d,))}


def init_stats(d):
    return {"mean": jnp.zeros((d,)), "var": jnp.ones((d,))}


def batch_stats(x):
    mean = jnp.mean(x, axis=0)
    return {"mean": mean, "var": jnp.mean((x - mean) ** 2, axis=0)}


def interpolate(a, b, t):
    """Leafwise (1 - t) * a + t * b."""
    return jax.tree.map(lambda u, v: (1.0 - t) * u + t * v, a, b)


def apply_norm(params, stats, x, eps):
    z = (x - stats["mean"]) * jax.lax.rsqrt(stats["var"] + eps)
    return params["scale"] * z + params["bias"]


def train_step(params, stats, x, *, decay, eps):
    """Returns (output, new running stats); `decay` is the share of the past."""
    current = batch_stats(x)
    frozen = jax.lax.stop_gradient(current)
    return apply_norm(params, current, x, eps), interpolate(stats, frozen, decay)


# ---------------------------------------------------------------- NNX shell
class BatchNorm(nnx.Module):
    def __init__(self, num_features, *, decay=0.9, eps=1e-5, rngs=None):
        self.decay = decay
        self.eps = eps
        for name, value in init_params(num_features).items():
            setattr(self, name, nnx.Param(value))
        for name, value in init_stats(num_features).items():
            setattr(self, name, nnx.BatchStat(value))

    def __call__(self, x, is_training):
        params = {"scale": self.scale[...], "bias": self.bias[...]}
        stats = {"mean": self.mean[...], "var": self.var[...]}
        if not is_training:
            return apply_norm(params, stats, x, self.eps)
        y, stats = train_step(params, stats, x, decay=self.decay, eps=self.eps)
        self.mean[...] = stats["mean"]
        self.var[...] = stats["var"]
        return y
