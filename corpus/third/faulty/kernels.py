"""Mistakes of those who write kernels and their derivatives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from corpus.third.correct.base import _bwd_ok, _forward, _Fused, _make, _moments, _Plain, _sg


class ClampedFeatureTile(_Plain):
    """Feature tiles of 8 by dynamic_slice, which clamps the last start. Shows for D > 8, D % 8 != 0."""

    def _stats(self, x):
        n, d = x.shape
        if d <= 8:
            return super()._stats(x)
        parts = [
            super(ClampedFeatureTile, self)._stats(lax.dynamic_slice(x, (0, s), (n, 8)))
            for s in range(0, d, 8)
        ]
        return (
            jnp.concatenate([p[0] for p in parts])[:d],
            jnp.concatenate([p[1] for p in parts])[:d],
        )


class WelfordTailFull(_Plain):
    """Merges blocks of 64 rows and counts the tail block as 64. Shows for N > 64, N % 64 != 0."""

    def _stats(self, x):
        n = x.shape[0]
        if n <= 64:
            return super()._stats(x)
        count, mean, m2 = 0, jnp.zeros_like(x[0]), jnp.zeros_like(x[0])
        for s in range(0, n, 64):
            block = x[s : s + 64]
            bm, bv = super()._stats(block)
            total = count + 64
            delta = bm - mean
            m2 = m2 + bv * block.shape[0] + delta * delta * (count * 64 / total)
            mean = mean + delta * (64 / total)
            count = total
        return mean, m2 / n


class ZeroPadInVar(_Plain):
    """Pads rows with zeros to a multiple of 8 and forgets the mask in the variance only."""

    def _stats(self, x):
        n = x.shape[0]
        xp = jnp.pad(x, ((0, -n % 8), (0, 0)))
        mean = jnp.sum(xp, axis=0) / n
        return mean, jnp.sum((xp - mean) ** 2, axis=0) / n


class PowerOfTwoCount(_Plain):
    """Divides the variance by N rounded up to a power of two. Right for N = 1, 2, 4, 8, ..."""

    def _stats(self, x):
        n = x.shape[0]
        mean = jnp.mean(x, axis=0)
        return mean, jnp.sum((x - mean) ** 2, axis=0) / (1 << (n - 1).bit_length())


class TailRowsUntouched(_Plain):
    """Row tiles of 128: rows after the last full tile come out as raw x. Shows for N > 128, N % 128."""

    def _apply(self, x, mean, var):
        y = super()._apply(x, mean, var)
        n = x.shape[0]
        full = n // 128 * 128
        if full == 0 or full == n:
            return y
        return jnp.concatenate([y[:full], x[full:]])


class Float4GammaTail(_Plain):
    """Vector loads of 4: tail features read gamma of the pack before. Shows for D > 4, D % 4 != 0."""

    def _apply(self, x, mean, var):
        full = self.d // 4 * 4
        at = np.array([i if i < full or full == 0 else i - 4 for i in range(self.d)])
        return self.gamma[...][at] * ((x - mean) * self._inv(var)) + self.beta[...]


class ThreadLimitRunning(_Plain):
    """One block of 256 threads writes the running values: features from 256 on never change."""

    def _update(self, mean, var, n):
        mine = jnp.arange(self.d) < 256
        rm, rv = self.running_mean[...], self.running_var[...]
        self.running_mean[...] = jnp.where(mine, self._mix(rm, mean), rm)
        self.running_var[...] = jnp.where(mine, self._mix(rv, var), rv)


class DiagMatmul(_Plain):
    """Scales by a product with diag(gamma*inv): NaN/inf of one feature reach the others (0*NaN)."""

    def _apply(self, x, mean, var):
        scale = jnp.diag(self.gamma[...] * self._inv(var))
        return jnp.matmul(x - mean, scale, precision="highest") + self.beta[...]


class Bf16RowWeights(_Plain):
    """Mean as a weighted sum with weights 1/N held in bfloat16: exact only for N a power of two."""

    def _stats(self, x):
        w = jnp.asarray(1.0 / x.shape[0], jnp.bfloat16).astype(jnp.float32)
        mean = jnp.sum(x * w, axis=0)
        return mean, jnp.mean((x - mean) ** 2, axis=0)


def _fwd_bf16(x, gamma, beta, eps):
    y, xhat, inv, var = _forward(x, gamma, beta, eps)
    return y, (xhat.astype(jnp.bfloat16), inv, gamma)


class Bf16SavedXhat(_Fused):
    """custom_vjp saves the normalised values in bfloat16: gradients of x and gamma off by 1e-3."""

    _f = staticmethod(_make(fwd=_fwd_bf16))


def _fwd_detached(x, gamma, beta, eps):
    y, xhat, inv, var = _forward(x, gamma, beta, eps)
    return y, (xhat, _sg(inv), gamma)


def _fwd_inverse(x, gamma, beta, eps):
    y, xhat, inv, var = _forward(x, gamma, beta, eps)
    return y, (y, inv, gamma, beta)


def _bwd_inverse(eps, res, g):
    y, inv, gamma, beta = res
    xhat = (y - beta) / jnp.where(gamma == 0, 1.0, gamma)
    return _bwd_ok(eps, (xhat, inv, gamma), g)


class InvertibleZeroGamma(_Fused):
    """Backward recovers xhat from y: a gamma of exactly 0 gets gradient 0 and can never leave it."""

    _f = staticmethod(_make(_fwd_inverse, _bwd_inverse))


_BY_WIDTH = {}


def _bwd_with_count(n):
    def bwd(eps, res, g):
        xhat, inv, gamma = res
        dbeta = jnp.sum(g, axis=0)
        dgamma = jnp.sum(g * xhat, axis=0)
        return gamma * inv * (g - dbeta / n - xhat * (dgamma / n)), dgamma, dbeta

    return bwd


class StaleBatchCountBackward(_Fused):
    """Backward is built once per width with the N of the first batch: wrong dx for another N."""

    def _f(self, x, gamma, beta, eps):
        if self.d not in _BY_WIDTH:
            _BY_WIDTH[self.d] = _make(bwd=_bwd_with_count(x.shape[0]))
        return _BY_WIDTH[self.d](x, gamma, beta, eps)


def _bwd_clamped(eps, res, g):
    xhat, inv, gamma = res
    return _bwd_ok(eps, (xhat, jnp.minimum(inv, 1e3), gamma), g)


class BwdRstdClamped(_Fused):
    """Backward limits 1/sqrt(var+eps) to 1e3: wrong dx for var + eps < 1e-6."""

    _f = staticmethod(_make(bwd=_bwd_clamped))


def _bwd_tail(eps, res, g):
    xhat, inv, gamma = res
    dx, _, _ = _bwd_ok(eps, res, g)
    n = g.shape[0]
    full = n // 16 * 16 or n
    return dx, jnp.sum((g * xhat)[:full], axis=0), jnp.sum(g[:full], axis=0)


class BwdTailDropped(_Fused):
    """dgamma and dbeta sum full tiles of 16 rows only. Shows for N > 16, N % 16 != 0."""

    _f = staticmethod(_make(bwd=_bwd_tail))


def _fwd_var(x, gamma, beta, eps):
    y, xhat, inv, var = _forward(x, gamma, beta, eps)
    return y, (xhat, var, gamma)


def _bwd_no_eps(eps, res, g):
    xhat, var, gamma = res
    return _bwd_ok(eps, (xhat, lax.rsqrt(var), gamma), g)


class BwdForgetsEps(_Fused):
    """Backward recomputes inv from the saved var without eps: wrong dx unless var >> eps."""

    _f = staticmethod(_make(_fwd_var, _bwd_no_eps))


@jax.custom_vjp
def _eval_kernel(xhat_in, gamma, beta, inv):
    return gamma * (xhat_in * inv) + beta


def _eval_kernel_fwd(xc, gamma, beta, inv):
    xhat = xc * inv
    return gamma * xhat + beta, (xhat, inv, gamma)


def _eval_kernel_bwd(res, g):
    dx, dgamma, dbeta = _bwd_ok(None, res, g)
    return dx, dgamma, dbeta, jnp.zeros_like(res[1])


_eval_kernel.defvjp(_eval_kernel_fwd, _eval_kernel_bwd)


class EvalUsesTrainBackward(_Plain):
    """Evaluation shares the training backward: dx subtracts the batch means of the gradient."""

    def _eval(self, x):
        return _eval_kernel(
            x - self.running_mean[...],
            self.gamma[...],
            self.beta[...],
            self._inv(self.running_var[...]),
        )


@jax.custom_batching.custom_vmap
def _kernel_moments(x):
    return _moments(x)


@_kernel_moments.def_vmap
def _kernel_moments_rule(axis_size, in_batched, x):
    return _kernel_moments(x.reshape(-1, x.shape[-1])), (False, False)


class VmapFoldsRows(_Plain):
    """Running values come from a kernel whose vmap rule folds the mapped axis into the rows."""

    def _train(self, x):
        mean, var = self._stats(x)
        self._update(*_kernel_moments(_sg(x)), x.shape[0])
        return self._apply(x, mean, var)


class FortranOrder(_Plain):
    """Reads NumPy input in memory order: a transposed (Fortran-ordered) array is scrambled."""

    def _input(self, x):
        if isinstance(x, np.ndarray):
            x = x.ravel(order="K").reshape(x.shape)
        return super()._input(x)
