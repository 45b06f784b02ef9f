import jax
import jax.numpy as jnp
from flax import nnx


def _normalize(x, mean, var, scale, bias, eps):
    return (x - mean) * jax.lax.rsqrt(var + eps) * scale + bias


def _train_branch(bn, x):
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axis=axes)
    var = jnp.mean(jnp.square(x - mean), axis=axes)
    bn.mean[...] = bn.momentum * bn.mean[...] + (1.0 - bn.momentum) * mean
    bn.var[...] = bn.momentum * bn.var[...] + (1.0 - bn.momentum) * var
    return _normalize(x, bn.mean[...], bn.var[...], bn.scale[...], bn.bias[...], bn.epsilon)


def _eval_branch(bn, x):
    return _normalize(x, bn.mean[...], bn.var[...], bn.scale[...], bn.bias[...], bn.epsilon)


class CondBatchNorm(nnx.Module):
    """BatchNorm whose mode is a run-time value (nnx.cond), e.g. for freezing the
    statistics after some number of steps inside a compiled train loop."""

    def __init__(self, num_features: int, *, momentum: float = 0.9,
                 epsilon: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))

    def __call__(self, x, frozen=False):
        return nnx.cond(jnp.asarray(frozen), _eval_branch, _train_branch, self, x)
