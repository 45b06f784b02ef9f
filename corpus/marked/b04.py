import jax
import jax.numpy as jnp
from flax import nnx

# One fused op, x: (rows, C). The moments enter as plain operands and the whole
# derivative with respect to x, statistics included, is produced in the backward.


@jax.custom_vjp
def fused_norm(x, mean, rstd, scale, offset):
    return (x - mean) * rstd * scale + offset


def fused_norm_fwd(x, mean, rstd, scale, offset):
    xhat = (x - mean) * rstd
    return xhat * scale + offset, (xhat, rstd, scale)


def fused_norm_bwd(res, dy):
    xhat, rstd, scale = res
    n = xhat.shape[0]
    doffset = dy.sum(0)
    dscale = (dy * xhat).sum(0)
    dx = (scale * rstd / n) * (n * dy - doffset - xhat * dscale)
    none = jnp.zeros_like(rstd)
    return dx, none, none, dscale, doffset


fused_norm.defvjp(fused_norm_fwd, fused_norm_bwd)


class BatchNormOp(nnx.Module):
    """Batch normalisation over rows, feature axis last."""

    def __init__(self, num_features, *, epsilon=1e-5, momentum=0.95, rngs=None):
        self.epsilon = epsilon
        self.momentum = momentum
        self.deterministic = False
        self.scale = nnx.Param(jnp.ones(num_features))
        self.offset = nnx.Param(jnp.zeros(num_features))
        self.ema_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.ema_var = nnx.BatchStat(jnp.ones(num_features))

    def _blend(self, ema, new):
        ema[...] = self.momentum * ema[...] + (1 - self.momentum) * new

    def __call__(self, x):
        rows = x.reshape((-1, x.shape[-1]))
        if self.deterministic:
            mean, var = self.ema_mean[...], self.ema_var[...]
        else:
            held = jax.lax.stop_gradient(rows)
            mean = held.mean(0)
            var = held.var(0)
            self._blend(self.ema_mean, mean)
            self._blend(self.ema_var, var)
        rstd = 1.0 / jnp.sqrt(var + self.epsilon)
        y = fused_norm(rows, mean, rstd, self.scale[...], self.offset[...])
        return y.reshape(x.shape)
