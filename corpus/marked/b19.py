"""BN in the style of our accelerator kernels: one read of x for (sum, sum of
squares), a cheap half-precision root with Newton refinement, one fma per element."""
import jax
import jax.numpy as jnp
from flax import nnx

NEWTON_STEPS = 2


def inv_root(var, eps):
    """1 / sqrt(var + eps): bfloat16 seed, then Newton in float32."""
    r = jax.lax.rsqrt((var + eps).astype(jnp.bfloat16)).astype(jnp.float32)
    for _ in range(NEWTON_STEPS):
        r = r * (1.5 - 0.5 * var * r * r)
    return r


def sums(rows):
    return jnp.sum(rows, 0), jnp.sum(rows * rows, 0)


def fold(mean, var, gamma, beta, eps):
    mul = gamma * inv_root(var, eps)
    return mul, beta - mean * mul


class KernelBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-3, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.training = True
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mov_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.mov_var = nnx.BatchStat(jnp.ones((num_features,)))

    def train(self, **kw):
        self.training = True

    def eval(self, **kw):
        self.training = False

    def __call__(self, x):
        if self.training:
            rows = x.reshape(-1, x.shape[-1])
            s1, s2 = sums(rows)
            mean = s1 / rows.shape[0]
            var = jnp.maximum(s2 / rows.shape[0] - mean * mean, 0.0)
            k = self.momentum
            self.mov_mean[...] = k * self.mov_mean[...] + (1 - k) * mean
            self.mov_var[...] = k * self.mov_var[...] + (1 - k) * var
        else:
            mean, var = self.mov_mean[...], self.mov_var[...]
        mul, add = fold(mean, var, self.gamma[...], self.beta[...], self.epsilon)
        return x * mul + add
