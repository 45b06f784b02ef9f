"""Batch norm for padded sequences (B, T, C). Positions with mask == 0 do not count."""
import jax
import jax.numpy as jnp
from flax import nnx


def masked_mean(values, mask):
    """Mean of `values` (B, T, C) over the valid positions of `mask` (B, T, 1)."""
    per_sequence = (values * mask).sum(1) / jnp.maximum(mask.sum(1), 1.0)
    return per_sequence.mean(0)


class MaskedBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    @staticmethod
    def _as_sequences(x, mask):
        seq = x.reshape(x.shape[0], -1, x.shape[-1])
        if mask is None:
            mask = jnp.ones(seq.shape[:2], seq.dtype)
        mask = mask.reshape(seq.shape[:2]).astype(seq.dtype)
        return seq, mask[..., None]

    def __call__(self, x, mask=None, *, deterministic=False):
        """mask: x.shape[:-1], true where the position holds data."""
        seq, valid = self._as_sequences(x, mask)
        if deterministic:
            mean, var = self.mean[...], self.var[...]
        else:
            mean = masked_mean(seq, valid)
            var = masked_mean(jnp.square(seq - mean), valid)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        y = (seq - mean) * jax.lax.rsqrt(var + self.epsilon)
        y = y * self.gamma[...] + self.beta[...]
        return (y * valid).reshape(x.shape)
