import jax
import jax.numpy as jnp
from flax import nnx


def einsum_moments(x):
    weights = jnp.full((x.shape[0],), 1.0 / x.shape[0], x.dtype)
    mean = jnp.einsum("ni,n->i", x, weights)
    dev = x - mean
    var = jnp.einsum("ni,ni,n->i", dev, dev, weights)
    return mean, var


def affine_coefficients(mean, var, scale, bias, eps):
    gain = jnp.einsum("i,i->i", scale, jax.lax.rsqrt(var + eps))
    shift = bias - jnp.einsum("i,j->i", mean, gain)
    return gain, shift


class EinsumBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _track(self, mean, var):
        mix = jnp.array([self.momentum, 1.0 - self.momentum])
        for slot, batch in ((self.running_mean, mean), (self.running_var, var)):
            pair = jnp.stack([slot[...], jax.lax.stop_gradient(batch)])
            slot[...] = jnp.einsum("k,ki->i", mix, pair)

    def __call__(self, x, train=True):
        if train:
            mean, var = einsum_moments(x)
            self._track(mean, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        gain, shift = affine_coefficients(mean, var, self.scale[...], self.bias[...], self.eps)
        return jnp.einsum("ni,i->ni", x, gain) + shift
