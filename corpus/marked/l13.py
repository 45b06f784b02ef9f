import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def normalize(x, inv_std, mean):
    return (x - mean) * inv_std


def normalize_fwd(x, inv_std, mean):
    x_hat = (x - mean) * inv_std
    return x_hat, (x_hat, inv_std)


def normalize_bwd(res, g):
    # mean and inv_std are functions of x, so everything flows into dx
    x_hat, inv_std = res
    dx = inv_std * (g - g.mean(axis=0))
    return dx, jnp.zeros_like(inv_std), jnp.zeros_like(inv_std)


normalize.defvjp(normalize_fwd, normalize_bwd)


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            x_hat = (x - self.running_mean[...]) * jax.lax.rsqrt(self.running_var[...] + self.eps)
        else:
            xs = jax.lax.stop_gradient(x)
            mean, var = xs.mean(axis=0), xs.var(axis=0)
            self.running_mean[...] = self.momentum * self.running_mean[...] + (1 - self.momentum) * mean
            self.running_var[...] = self.momentum * self.running_var[...] + (1 - self.momentum) * var
            x_hat = normalize(x, jax.lax.rsqrt(var + self.eps), mean)
        return x_hat * self.gamma[...] + self.beta[...]
