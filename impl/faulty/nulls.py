"""Null implementations: the least that has the right attributes.

Nobody makes these mistakes; they are a floor: a requirement that such a layer passes says little
by itself, and the number that each passes is worth knowing.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from impl.stepwise import StepwiseBatchNorm


class Identity(StepwiseBatchNorm):
    """Returns its input."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        del use_running_average
        return jnp.asarray(x)


class Zeros(StepwiseBatchNorm):
    """Returns zeros."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        del use_running_average
        return jnp.zeros_like(x)


class ConstantBeta(StepwiseBatchNorm):
    """Returns beta in every row."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        del use_running_average
        return jnp.zeros_like(x) + self.beta[...]


class BatchStatisticsAlways(StepwiseBatchNorm):
    """Normalises with the batch in both modes, and remembers nothing."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        del use_running_average
        return self.output(x, *self.statistics(x))


class RunningStatisticsAlways(StepwiseBatchNorm):
    """Normalises with the running statistics in both modes, and never moves them."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        del use_running_average
        return self.evaluate(x)


NULLS = (Identity, Zeros, ConstantBeta, BatchStatisticsAlways, RunningStatisticsAlways)
