"""Faulty layers of another dtype, and declarations of such that are not true."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from conformance.implementation import Deviation
from impl.faulty.record import fault
from impl.narrow_batchnorm import Bfloat16Statistics
from impl.stepwise import Array, StepwiseBatchNorm

_STATISTICS = (Deviation.STATISTICS_IN_BFLOAT16,)
_OUTPUT = (Deviation.OUTPUT_IN_BFLOAT16,)


@fault("bfloat16-declared-only", "BN-INIT-5", deviations=_STATISTICS)
class Bfloat16DeclaredOnly(StepwiseBatchNorm):
    """Statistics in bfloat16 are declared; they are float32."""


@fault("float16-declared-as-bfloat16", "BN-INIT-5", deviations=_STATISTICS)
class Float16DeclaredAsBfloat16(StepwiseBatchNorm):
    """Statistics in bfloat16 are declared; they are float16, which overflows at 65504."""

    def start_mean(self, d: int) -> Array:
        return jnp.zeros((d,), jnp.float16)

    def start_var(self, d: int) -> Array:
        return jnp.ones((d,), jnp.float16)

    def moved(self, old: Array, new: Array) -> Array:
        return super().moved(old.astype(jnp.float32), new).astype(jnp.float16)


@fault("bfloat16-statistics-widen", "BN-STATE-5", deviations=_STATISTICS)
class Bfloat16StatisticsWiden(Bfloat16Statistics):
    """The first update makes float32 of statistics that are declared as bfloat16."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        self.running_mean.set_value(self.running_mean[...].astype(jnp.float32))
        self.running_var.set_value(self.running_var[...].astype(jnp.float32))


@fault("bfloat16-statistics-in-evaluation", "BN-EVAL-1", deviations=_STATISTICS)
class Bfloat16InEvaluation(Bfloat16Statistics):
    """Evaluation adds ε to the variance, and takes the root, in the dtype of the statistics."""

    def evaluate(self, x: Any) -> Any:
        return StepwiseBatchNorm.evaluate(self, x)


@fault("bfloat16-statistics-stagnate", "BN-EMA-2", deviations=_STATISTICS)
class Bfloat16Stagnate(Bfloat16Statistics):
    """Besides, updates of the variance below a tenth of it are dropped."""

    def moved_var(self, old: Array, new: Array) -> Array:
        moved = self.moved(old, new)
        return jnp.where(jnp.abs(moved - old) < 0.1 * old, old, moved)


@fault("bfloat16-output-declared-only", "BN-TRAIN-1", deviations=_OUTPUT)
class Bfloat16OutputDeclaredOnly(StepwiseBatchNorm):
    """An output in bfloat16 is declared; y is float32."""


@fault("bfloat16-output-centred-late", "BN-NUM-1", "BN-EVAL-1", deviations=_OUTPUT)
class Bfloat16CentredLate(StepwiseBatchNorm):
    """x is rounded to bfloat16 before the mean is subtracted, as the output is declared to be."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        return super().normalized(jnp.asarray(x, jnp.bfloat16).astype(jnp.float32), mean, var)

    def affine(self, z: Array) -> Array:
        return super().affine(z).astype(jnp.bfloat16)


@fault("bfloat16-output-undeclared", "BN-TRAIN-1", "BN-EVAL-1")
class Bfloat16OutputUndeclared(StepwiseBatchNorm):
    """y is rounded to bfloat16, and nothing says so."""

    def affine(self, z: Array) -> Array:
        return super().affine(z).astype(jnp.bfloat16)
