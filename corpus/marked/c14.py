"""Functional batch norm; the module at the bottom only holds the state."""
import jax
import jax.numpy as jnp
from flax import nnx


def lerp(start, end, t):
    """start for t == 0, end for t == 1."""
    return start + t * (end - start)


def _axes(x):
    return tuple(i for i in range(x.ndim) if i != x.ndim - 1)


def normalize(x, mean, var, eps):
    return (x - mean) * jax.lax.rsqrt(var + eps)


def batch_norm(params, state, x, *, inference, momentum, eps):
    """-> (y, new_state). Both ``params`` and ``state`` are plain dicts."""
    if inference:
        mean, var = state["mean"], state["var"]
        new_state = state
    else:
        mean = jnp.mean(x, _axes(x))
        var = jnp.mean(jnp.square(x - mean), _axes(x))
        batch = {"mean": mean, "var": var}
        new_state = jax.tree.map(lambda old, new: lerp(old, new, momentum), state, batch)
    y = normalize(x, mean, var, eps) * params["gamma"] + params["beta"]
    return y, new_state


class BatchNorm(nnx.Module):
    """Stateful wrapper in the manner of ``eqx.nn.BatchNorm`` + ``eqx.nn.State``."""

    def __init__(self, input_size: int, momentum: float = 0.99, eps: float = 1e-5,
                 inference: bool = False, *, rngs: nnx.Rngs = None):
        self.momentum = momentum
        self.eps = eps
        self.inference = inference
        self.gamma = nnx.Param(jnp.ones((input_size,)))
        self.beta = nnx.Param(jnp.zeros((input_size,)))
        self.mean = nnx.BatchStat(jnp.zeros((input_size,)))
        self.var = nnx.BatchStat(jnp.ones((input_size,)))

    def __call__(self, x, inference=None):
        inference = self.inference if inference is None else inference
        y, state = batch_norm(
            {"gamma": self.gamma[...], "beta": self.beta[...]},
            {"mean": self.mean[...], "var": self.var[...]},
            x, inference=inference, momentum=self.momentum, eps=self.eps,
        )
        self.mean[...], self.var[...] = state["mean"], state["var"]
        return y
