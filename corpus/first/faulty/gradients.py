"""Wrong derivatives."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from corpus.first.correct.base import Base, VjpBase, sg


class StatsStopGradient(Base):
    """The batch statistics are detached, so the input gradient treats them as constants."""

    def batch_stats(self, x):
        return super().batch_stats(sg(x))


class DxNoMeanTerm(VjpBase):
    """The training input gradient lacks the term of the batch mean."""

    def train_back(self, dy, x, xhat, inv, gamma):
        dh = dy * gamma
        return inv * (dh - xhat * jnp.mean(dh * xhat, 0)), jnp.sum(dy * xhat, 0), jnp.sum(dy, 0)


class JvpNoVarianceTerm(Base):
    """The custom derivative of the training normalisation ignores that the variance depends on the
    input.
    """

    def train_call(self, x):
        self.update(x, *self.batch_stats(x))
        eps = self.eps

        @jax.custom_jvp
        def whiten(x):
            mean = jnp.mean(x, 0)
            return (x - mean) / jnp.sqrt(jnp.mean(jnp.square(x - mean), 0) + eps)

        @whiten.defjvp
        def _(primals, tangents):
            (x,), (t,) = primals, tangents
            inv = 1 / jnp.sqrt(jnp.var(x, axis=0) + eps)
            return whiten(x), (t - jnp.mean(t, 0)) * inv

        return self.affine(whiten(x))


class DxBessel(VjpBase):
    """The training input gradient divides its two sums by N-1 instead of N."""

    def train_back(self, dy, x, xhat, inv, gamma):
        dh, n = dy * gamma, max(x.shape[0] - 1, 1)
        dx = inv * (dh - jnp.sum(dh, 0) / n - xhat * jnp.sum(dh * xhat, 0) / n)
        return dx, jnp.sum(dy * xhat, 0), jnp.sum(dy, 0)


class DgammaRawInput(VjpBase):
    """The training gradient of gamma sums dy times the raw input instead of the normalised one."""

    def train_back(self, dy, x, xhat, inv, gamma):
        dx, _, db = super().train_back(dy, x, xhat, inv, gamma)
        return dx, jnp.sum(dy * x, 0), db


class DbetaMean(VjpBase):
    """The training gradient of beta is averaged over the batch instead of summed."""

    def train_back(self, dy, x, xhat, inv, gamma):
        dx, dg, _ = super().train_back(dy, x, xhat, inv, gamma)
        return dx, dg, jnp.mean(dy, 0)


class DxMeanGamma(VjpBase):
    """The training input gradient scales by the average gamma, right only when all gammas agree."""

    def train_back(self, dy, x, xhat, inv, gamma):
        dx = super().train_back(dy, x, xhat, inv, jnp.full_like(gamma, 1.0) * jnp.mean(gamma))[0]
        return dx, jnp.sum(dy * xhat, 0), jnp.sum(dy, 0)


class BackwardNoEps(VjpBase):
    """The training backward pass uses the root of the variance without epsilon, guarded at zero,
    for the input gradient.
    """

    def train_back(self, dy, x, xhat, inv, gamma):
        var = jnp.mean(jnp.square(x - jnp.mean(x, 0)), 0)
        bare = jnp.where(var > 0, 1 / jnp.sqrt(jnp.where(var > 0, var, 1.0)), inv)
        dx = super().train_back(dy, x, xhat, bare, gamma)[0]
        return dx, jnp.sum(dy * xhat, 0), jnp.sum(dy, 0)


class EvalBackwardTraining(VjpBase):
    """Evaluation's input gradient uses the training formula and subtracts the batch terms."""

    def eval_back(self, dy, x, xhat, inv, gamma):
        return self.train_back(dy, x, xhat, inv, gamma)


class EvalDgammaDropped(VjpBase):
    """Evaluation returns a zero gradient for gamma."""

    def eval_back(self, dy, x, xhat, inv, gamma):
        dx, dg, db = super().eval_back(dy, x, xhat, inv, gamma)
        return dx, jnp.zeros_like(dg), db


class EvalInputDetached(Base):
    """Evaluation detaches the input, so no gradient reaches it."""

    def eval_call(self, x):
        return super().eval_call(sg(x))


class ClippedDx(VjpBase):
    """The training input gradient is clipped to [-1, 1] inside the layer."""

    def train_back(self, dy, x, xhat, inv, gamma):
        dx, dg, db = super().train_back(dy, x, xhat, inv, gamma)
        return jnp.clip(dx, -1.0, 1.0), dg, db


class StdSquaredGradient(Base):
    """The variance is the square of jnp.std, whose gradient is NaN for a constant column or one
    row.
    """

    def batch_stats(self, x):
        return jnp.mean(x, 0), jnp.square(jnp.std(x, axis=0))


class SecondOrderFrozen(VjpBase):
    """The training backward pass detaches its residuals, so second derivatives are wrong."""

    def train_back(self, dy, x, xhat, inv, gamma):
        return super().train_back(dy, sg(x), sg(xhat), sg(inv), sg(gamma))


class DgammaBFloat(VjpBase):
    """The training gradient of gamma is accumulated from bfloat16 products."""

    def train_back(self, dy, x, xhat, inv, gamma):
        dx, _, db = super().train_back(dy, x, xhat, inv, gamma)
        p = dy.astype(jnp.bfloat16) * xhat.astype(jnp.bfloat16)
        return dx, jnp.sum(p.astype(jnp.float32), 0), db
