import jax
import jax.numpy as jnp
from flax import nnx


# Staged version that follows the computational graph node by node.

@jax.custom_vjp
def _standardize(x, eps):
    mu = jnp.mean(x, axis=0)
    var = jnp.mean((x - mu) ** 2, axis=0)
    return (x - mu) / jnp.sqrt(var + eps)


def _standardize_fwd(x, eps):
    mu = jnp.mean(x, axis=0)
    xmu = x - mu
    var = jnp.mean(xmu ** 2, axis=0)
    sqrtvar = jnp.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    return xmu * ivar, (xmu, sqrtvar, ivar)


def _standardize_bwd(cache, dout):
    xmu, sqrtvar, ivar = cache
    N, D = dout.shape
    divar = jnp.sum(dout * xmu, axis=0)
    dxmu1 = dout * ivar
    dsqrtvar = -1.0 / (sqrtvar ** 2) * divar
    dvar = 0.5 / sqrtvar * dsqrtvar
    dsq = jnp.ones((N, D)) * dvar / N
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * jnp.sum(dxmu1 + dxmu2, axis=0)
    dx2 = jnp.ones((N, D)) * dmu
    return dx1 + dx2, None


_standardize.defvjp(_standardize_fwd, _standardize_bwd)


class BatchNorm1D(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            z = (x - self.running_mean.value) / jnp.sqrt(self.running_var.value + self.epsilon)
        else:
            z = _standardize(x, self.epsilon)
            self._observe(jax.lax.stop_gradient(x))
        return self.scale.value * z + self.bias.value

    def _observe(self, x):
        p = self.momentum
        self.running_mean.value = p * self.running_mean.value + (1 - p) * jnp.mean(x, 0)
        self.running_var.value = p * self.running_var.value + (1 - p) * jnp.var(x, 0)
