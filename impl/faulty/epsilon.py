"""Faulty epsilon."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("eps-outside", "BN-EPS-1", "BN-TRAIN-7")
class EpsOutside(StepwiseBatchNorm):
    """eps is added outside the root."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / (jnp.sqrt(var) + self.eps)


@fault("eps-missing", "BN-EPS-1", "BN-TRAIN-9", "BN-TRAIN-10")
class EpsMissing(StepwiseBatchNorm):
    """There is no eps."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var)


@fault("eps-squared", "BN-EPS-1", "BN-TRAIN-7")
class EpsSquared(StepwiseBatchNorm):
    """eps is squared before it is added."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + self.eps**2)


@fault("eps-twice", "BN-EPS-1")
class EpsTwice(StepwiseBatchNorm):
    """eps is added twice."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + self.eps + self.eps)


@fault("eps-hard-coded", "BN-INIT-8", "BN-EPS-1")
class EpsHardCoded(StepwiseBatchNorm):
    """eps is 1e-5, whatever was asked for."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + 1e-5)


@fault(
    "eps-clamped",
    "BN-INIT-8",
    "BN-EPS-1",
    source="tensorflow/tensorflow#37768",
    diagnosed="eps-at-least",
)
class EpsClamped(StepwiseBatchNorm):
    """eps is at least 1.001e-5, as one GPU library has it."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, max(eps, 1.001e-5), rngs)


@fault("eps-as-floor", "BN-EPS-1", "BN-TRAIN-10")
class EpsAsFloor(StepwiseBatchNorm):
    """The variance is raised to eps instead of adding eps."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(jnp.maximum(var, self.eps))


@fault(
    "eps-in-training-only",
    "BN-EPS-1",
    "BN-EVAL-1",
    source="chainer/chainer#2214",
    diagnosed="eps-hard-coded@evaluation",
)
class EpsInTrainingOnly(StepwiseBatchNorm):
    """Evaluation uses a separate eps."""

    def evaluate(self, x: Any) -> Any:
        z = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + 1e-3)
        return self.affine(z)
