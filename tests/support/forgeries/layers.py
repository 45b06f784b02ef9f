"""What submissions compute: the right layer, and wrong ones."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx

from impl.batchnorm import MyBatchNorm


class Right(MyBatchNorm):
    """Computes what it must."""


class Always42(MyBatchNorm):
    """Answers 42, and never moves its statistics."""

    def __call__(self, x, use_running_average):
        return jnp.asarray(x) * 0 + 42.0


class Unbiased(MyBatchNorm):
    """Normalises with the variance that is divided by N−1."""

    def __call__(self, x, use_running_average):
        if use_running_average or len(x) < 2:
            return super().__call__(x, use_running_average)
        y = super().__call__(x, use_running_average)
        mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0, ddof=1)
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...] + 0 * y


class EpsOutside(MyBatchNorm):
    """Adds eps to the standard deviation instead of the variance."""

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x)
        super().__call__(x, use_running_average)
        mean, var = (
            (self.running_mean[...], self.running_var[...])
            if use_running_average
            else (jnp.mean(x, axis=0), jnp.var(x, axis=0))
        )
        return self.gamma[...] * (x - mean) / (jnp.sqrt(var) + self.eps) + self.beta[...]


class SwappedMomentum(MyBatchNorm):
    """Weighs the batch with momentum, and what it had with the rest."""

    def _updated(self, running, batch):
        return super()._updated(batch, running)


class _Fixed(nnx.Param):
    """A parameter that reads as one number, whatever was written."""

    def get_value(self, *args, **rest):
        return super().get_value(*args, **rest) * 0 + self.number


class Explains42(Always42):
    """Answers 42, and reads the gamma and beta with which that would be right."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.gamma = _Fixed(jnp.ones(d), number=0.0)
        self.beta = _Fixed(jnp.zeros(d), number=42.0)


MUST_VIOLATE = {
    "Right": set(),
    "Always42": {"BN-EVAL-1", "BN-TRAIN-1", "BN-EMA-1", "BN-EPS-1"},
    "Explains42": {"BN-EMA-1", "BN-EPS-1"},
    "Unbiased": {"BN-TRAIN-1", "BN-EPS-1"},
    "EpsOutside": {"BN-EVAL-1", "BN-TRAIN-1", "BN-EPS-1"},
    "NeedsValues": {"BN-JIT-1"},
    "NoParams": {"BN-STATE-1"},
    "FiveLeaves": {"BN-STATE-3"},
    "TracedAgain": {"BN-JIT-3"},
    "Leaking": {"BN-JIT-5"},
    "SwappedMomentum": {"BN-EMA-1", "BN-EPS-1"},
}
"""The requirements, of those that ``runs`` judges, that each layer violates."""
