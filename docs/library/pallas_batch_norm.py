"""A BatchNorm kernel in Pallas: statistics over blocks of rows, forward and backward.

It follows the kernels of the Triton library attorch (github.com/BobMcDear/attorch): one program
for each feature; running sums over blocks, of which the last is masked; the mean and 1/√(v+ε) kept
for the backward pass. Blocks are merged in another way than there, see docs/library.md.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

BLOCK = 64


def _blocks(rows):
    """Return the first row of each block, and which rows of it there are."""
    for start in range(0, rows, BLOCK):
        yield start, jnp.arange(start, start + BLOCK) < rows


def _forward(x_ref, gamma_ref, beta_ref, y_ref, mean_ref, rstd_ref, *, rows, eps):
    mean, squares, count = 0.0, 0.0, 0
    for start, inside in _blocks(rows):
        x = x_ref[start : start + BLOCK, 0].astype(jnp.float32)
        here = min(BLOCK, rows - start)
        center = jnp.where(inside, x, 0).sum() / here
        delta, both = center - mean, count + here
        squares += jnp.where(inside, jnp.square(x - center), 0).sum()
        squares += jnp.square(delta) * (count * here / both)
        mean, count = mean + delta * (here / both), both
    rstd = 1 / jnp.sqrt(squares / count + eps)
    mean_ref[0], rstd_ref[0] = mean, rstd
    for start, _ in _blocks(rows):
        x = x_ref[start : start + BLOCK, 0].astype(jnp.float32)
        y = gamma_ref[0] * (x - mean) * rstd + beta_ref[0]
        y_ref[start : start + BLOCK, 0] = y.astype(y_ref.dtype)


def _backward(w_ref, x_ref, gamma_ref, mean_ref, rstd_ref, dx_ref, dgamma_ref, dbeta_ref, *, rows):
    def load(start, inside):
        x = x_ref[start : start + BLOCK, 0].astype(jnp.float32)
        w = w_ref[start : start + BLOCK, 0].astype(jnp.float32)
        return (x - mean_ref[0]) * rstd_ref[0], jnp.where(inside, w, 0)

    dgamma, dbeta = 0.0, 0.0
    for start, inside in _blocks(rows):
        z, w = load(start, inside)
        dgamma, dbeta = dgamma + (w * z).sum(), dbeta + w.sum()
    dgamma_ref[0], dbeta_ref[0] = dgamma, dbeta
    for start, inside in _blocks(rows):
        z, w = load(start, inside)
        dx = gamma_ref[0] * rstd_ref[0] * (w - (dgamma * z + dbeta) / rows)
        dx_ref[start : start + BLOCK, 0] = dx.astype(dx_ref.dtype)


def _per_feature(kernel, arrays, outputs):
    """Call a kernel once for each feature; arrays are (N, D), padded to whole blocks, or (D,)."""
    rows, features = arrays[0].shape
    padding = -rows % BLOCK
    padded = [jnp.pad(a, ((0, padding), (0, 0))) if a.ndim == 2 else a for a in arrays]
    column = pl.BlockSpec((rows + padding, 1), lambda d: (0, d))
    single = pl.BlockSpec((1,), lambda d: (d,))
    found = pl.pallas_call(
        kernel,
        grid=(features,),
        in_specs=[column if a.ndim == 2 else single for a in padded],
        out_specs=[column if dtype else single for dtype in outputs],
        out_shape=[
            jax.ShapeDtypeStruct((rows + padding, features), dtype)
            if dtype
            else jax.ShapeDtypeStruct((features,), jnp.float32)
            for dtype in outputs
        ],
        interpret=True,  # runs anywhere; leave it out on an accelerator
    )(*padded)
    return [a[:rows] if a.ndim == 2 else a for a in found]


@partial(jax.jit, static_argnames="eps")
def batch_norm(x, gamma, beta, eps):
    """Return y in the dtype of x, the mean and 1/√(v+ε)."""
    kernel = partial(_forward, rows=len(x), eps=eps)
    return _per_feature(kernel, (x, gamma, beta), (x.dtype, None, None))


@jax.jit
def batch_norm_backward(cotangent, x, gamma, mean, rstd):
    """Return dx in the dtype of x, dγ and dβ."""
    kernel = partial(_backward, rows=len(x))
    return _per_feature(kernel, (cotangent, x, gamma, mean, rstd), (x.dtype, None, None))
