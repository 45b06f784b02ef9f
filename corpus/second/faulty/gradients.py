"""Mistakes that only derivatives show."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from corpus.second.correct.base import Plain


def _normalise(backward):
    """Return the training output with a derivative of its own."""

    @jax.custom_vjp
    def normalise(x, gamma, beta, mean, var, eps):
        return (x - mean) / jnp.sqrt(var + eps) * gamma + beta

    def forward(x, gamma, beta, mean, var, eps):
        return normalise(x, gamma, beta, mean, var, eps), (x, gamma, beta, mean, var, eps)

    def pulled(kept, g):
        x, gamma, beta, mean, var, eps = kept
        dx, dgamma, dbeta = backward(g, x, gamma, beta, mean, jax.lax.rsqrt(var + eps))
        return dx, dgamma, dbeta, 0 * mean, 0 * var, jnp.zeros_like(eps)

    normalise.defvjp(forward, pulled)
    return normalise


def _right(g, x, gamma, beta, mean, r):
    z = (x - mean) * r
    h = g * gamma
    dx = r * (h - h.mean(axis=0) - z * (h * z).mean(axis=0))
    return dx, (g * z).sum(axis=0), g.sum(axis=0)


class _Ruled(Plain):
    @staticmethod
    def rule(*kept):
        return _right(*kept)

    def __call__(self, x, use_running_average):
        if use_running_average:
            return super().__call__(x, True)
        mean, var = jax.lax.stop_gradient(self.moments(x))
        self.track(x, mean, var)
        call = _normalise(type(self).rule)
        return call(x, self.gamma[...], self.beta[...], mean, var, jnp.float32(self.eps))


class ProjectionLostForLong(_Ruled):
    """Beyond 16 rows the term along the normalised values is left out."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        dx, dgamma, dbeta = _right(g, x, gamma, beta, mean, r)
        h = g * gamma
        return (r * (h - h.mean(axis=0)) if x.shape[0] > 16 else dx), dgamma, dbeta


class HalfResidual(_Ruled):
    """The normalised values are kept in float16 for the backward pass."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        z = ((x - mean) * r).astype(jnp.float16).astype(jnp.float32)
        h = g * gamma
        dx = r * (h - h.mean(axis=0) - z * (h * z).mean(axis=0))
        return dx, (g * z).sum(axis=0), g.sum(axis=0)


class ScaleWithoutSign(_Ruled):
    """A negative scale turns the input's gradient round."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        return _right(g, x, jnp.abs(gamma), beta, mean, r)[0], *_right(g, x, gamma, beta, mean, r)[
            1:
        ]


class RecoveredFromOutput(_Ruled):
    """The normalised values are recovered from the output, unless the scale is zero."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        y = (x - mean) * r * gamma + beta
        z = jnp.where(gamma == 0, 0, (y - beta) / jnp.where(gamma == 0, 1, gamma))
        h = g * gamma
        dx = r * (h - h.mean(axis=0) - z * (h * z).mean(axis=0))
        return dx, (g * z).sum(axis=0), g.sum(axis=0)


class ScaleGradientAveraged(_Ruled):
    """The gradient of the scale is a mean from 8 rows on, not a sum."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        dx, dgamma, dbeta = _right(g, x, gamma, beta, mean, r)
        return dx, dgamma / x.shape[0] if x.shape[0] >= 8 else dgamma, dbeta


class ShiftGradientFromCentred(_Ruled):
    """The gradient of the shift is summed in float16."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        dx, dgamma, _ = _right(g, x, gamma, beta, mean, r)
        return dx, dgamma, g.astype(jnp.float16).astype(jnp.float32).sum(axis=0)


class BesselBackward(_Ruled):
    """The projection divides by N - 1."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        z, h = (x - mean) * r, g * gamma
        along = (h * z).sum(axis=0) / max(x.shape[0] - 1, 1)
        return r * (h - h.mean(axis=0) - z * along), (g * z).sum(axis=0), g.sum(axis=0)


class EpsForgottenBackward(_Ruled):
    """The projection is the one without eps."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        z, h = (x - mean) * r, g * gamma
        square = (z * z).mean(axis=0)
        along = (h * z).mean(axis=0) / jnp.where(square == 0, 1, square)
        return r * (h - h.mean(axis=0) - z * along), (g * z).sum(axis=0), g.sum(axis=0)


class ClippedBackward(_Ruled):
    """The gradient of the input is clipped at 100."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        dx, dgamma, dbeta = _right(g, x, gamma, beta, mean, r)
        return jnp.clip(dx, -100, 100), dgamma, dbeta


class SingleRowPassesThrough(_Ruled):
    """For one row the gradient passes as in evaluation."""

    @staticmethod
    def rule(g, x, gamma, beta, mean, r):
        dx, dgamma, dbeta = _right(g, x, gamma, beta, mean, r)
        return (g * gamma * r if x.shape[0] == 1 else dx), dgamma, dbeta


class VarianceCarriesGradient(Plain):
    """The tracked variance keeps its dependence on the input."""

    def __call__(self, x, use_running_average):
        if use_running_average:
            return super().__call__(x, True)
        mean, var = self.moments(x)
        self.track(x, jax.lax.stop_gradient(mean), var)
        return self.output(x, mean, var)


class FrozenEvaluation(Plain):
    """In evaluation the shift is taken for frozen."""

    def __call__(self, x, use_running_average):
        y = super().__call__(x, use_running_average)
        if use_running_average:
            beta = self.beta[...]
            return y - beta + jax.lax.stop_gradient(beta)
        return y


class MeanStopped(Plain):
    """The mean inside the variance is a constant, and so is the one outside it."""

    def moments(self, x):
        mean = jax.lax.stop_gradient(x.mean(axis=0))
        return mean, jnp.square(x - mean).mean(axis=0)


class EvaluationStopsLargeInput(Plain):
    """In evaluation, values beyond 6 deviations pass no gradient."""

    def __call__(self, x, use_running_average):
        y = super().__call__(x, use_running_average)
        if use_running_average:
            far = jnp.abs(x - self.running_mean[...]) > 6 * jnp.sqrt(
                self.running_var[...] + self.eps
            )
            return jnp.where(far, jax.lax.stop_gradient(y), y)
        return y
