"""Faulty layers of another dtype, and declarations of such that are not true."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.requirements.deviations import Deviation
from impl.faulty.record import fault
from impl.narrow_batchnorm import Bfloat16Statistics, Float16Statistics
from impl.stepwise import Array, StepwiseBatchNorm

_STATISTICS = (Deviation.statistics_in("bfloat16"),)
_OUTPUT = (Deviation.output_in("bfloat16"),)


@fault("bfloat16-declared-only", "BN-INIT-5", deviations=_STATISTICS, diagnosed="stored-dtype")
class Bfloat16DeclaredOnly(StepwiseBatchNorm):
    """Statistics in bfloat16 are declared; they are float32."""


@fault(
    "float16-declared-as-bfloat16",
    "BN-INIT-5",
    deviations=_STATISTICS,
    diagnosed="state-float16",
)
class Float16DeclaredAsBfloat16(Float16Statistics):
    """Statistics in bfloat16 are declared; they are float16, which overflows at 65504."""


@fault("bfloat16-statistics-widen", "BN-STATE-5", deviations=_STATISTICS)
class Bfloat16StatisticsWiden(Bfloat16Statistics):
    """The first update turns statistics that are declared as bfloat16 into float32."""

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
    """Statistics are bfloat16, as declared; updates of a variance below 10 % are dropped."""

    def moved_var(self, old: Array, new: Array) -> Array:
        moved = self.moved(old, new)
        return jnp.where(jnp.abs(moved - old) < 0.1 * old, old, moved)


@fault("bfloat16-output-declared-only", "BN-TRAIN-1", deviations=_OUTPUT)
class Bfloat16OutputDeclaredOnly(StepwiseBatchNorm):
    """An output in bfloat16 is declared; y is float32."""


@fault("bfloat16-output-centred-late", "BN-NUM-1", "BN-EVAL-1", deviations=_OUTPUT)
class Bfloat16CentredLate(StepwiseBatchNorm):
    """x, not only the declared output, is rounded to bfloat16 before the mean is subtracted."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        return super().normalized(jnp.asarray(x, jnp.bfloat16).astype(jnp.float32), mean, var)

    def affine(self, z: Array) -> Array:
        return super().affine(z).astype(jnp.bfloat16)


@fault("bfloat16-output-undeclared", "BN-TRAIN-1", "BN-EVAL-1", diagnosed="y-bfloat16")
class Bfloat16OutputUndeclared(StepwiseBatchNorm):
    """y is rounded to bfloat16, which is not declared."""

    def affine(self, z: Array) -> Array:
        return super().affine(z).astype(jnp.bfloat16)


_STATISTICS_16 = (Deviation.statistics_in("float16"),)
_OUTPUT_16 = (Deviation.output_in("float16"),)
_OUTPUT_64 = (Deviation.output_in("float64"),)


@fault(
    "float16-statistics-declared-only",
    "BN-INIT-5",
    deviations=_STATISTICS_16,
    diagnosed="stored-dtype",
)
class Float16StatisticsDeclaredOnly(StepwiseBatchNorm):
    """Statistics in float16 are declared; they are float32."""


@fault("float16-statistics-squared", "BN-TRAIN-1", deviations=_STATISTICS_16)
class Float16StatisticsSquared(Float16Statistics):
    """The batch variance is computed in the dtype of the statistics, too, from squares."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        rows = (x - mean).astype(jnp.float16)
        return jnp.mean(rows * rows, axis=0, dtype=jnp.float16).astype(jnp.float32)


@fault("float16-statistics-in-steps", "BN-EMA-1", "BN-EMA-2", deviations=_STATISTICS_16)
class Float16StatisticsInSteps(Float16Statistics):
    """Running statistics are kept with eight digits, as in bfloat16, though float16 has eleven."""

    def moved(self, old: Array, new: Array) -> Array:
        return super().moved(old, new).astype(jnp.bfloat16).astype(jnp.float16)


@fault("float16-output-declared-only", "BN-TRAIN-1", "BN-SHAPE-3", deviations=_OUTPUT_16)
class Float16OutputDeclaredOnly(StepwiseBatchNorm):
    """An output in float16 is declared; y is float32."""


@fault("float16-output-by-bfloat16", "BN-TRAIN-1", "BN-EVAL-1", deviations=_OUTPUT_16)
class Float16OutputByBfloat16(StepwiseBatchNorm):
    """y is float16, as declared, but computed from a z that was rounded to bfloat16."""

    def affine(self, z: Array) -> Array:
        return super().affine(z.astype(jnp.bfloat16).astype(jnp.float32)).astype(jnp.float16)


@fault("float64-output-declared-only", "BN-SHAPE-3", deviations=_OUTPUT_64)
class Float64OutputDeclaredOnly(StepwiseBatchNorm):
    """An output in float64 is declared; y is float32."""


@fault("float64-output-undeclared", "BN-SHAPE-3")
class Float64OutputUndeclared(StepwiseBatchNorm):
    """Outside a trace, y is copied to float64, which is not declared."""

    def affine(self, z: Array) -> Any:
        y = super().affine(z)
        return y if isinstance(y, jax.core.Tracer) else np.asarray(y, np.float64)


@fault("float16-output-in-evaluation-only", "BN-SHAPE-3", diagnosed="y-float16@evaluation")
class Float16OutputInEvaluationOnly(StepwiseBatchNorm):
    """Evaluation returns float16 and training float32, which is not declared."""

    def evaluate(self, x: Any) -> Any:
        return super().evaluate(x).astype(jnp.float16)
