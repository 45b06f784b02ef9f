"""Mistakes in layers that are driven in another way, or that lack or add something by design."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm
from impl.variants.designs import CountsBatches, Images, ModeAttribute, Nchw, ScaleOnly

_BUG_REPORTS = "keras issues 6570, 7085: layers that are frozen for fine-tuning"


@fault("frozen-moves", "BN-EMA-1", "BN-EMA-2", modes="evaluation", source=_BUG_REPORTS)
class FrozenMoves(StepwiseBatchNorm):
    """A frozen layer evaluates in every call, and its running statistics move all the same."""

    def train_step(self, x: Any) -> Any:
        y = self.evaluate(x)
        self.update(x, *self.statistics(x))
        return y


@fault("frozen-normalizes-with-batch", "BN-TRAIN-1", modes="evaluation", source=_BUG_REPORTS)
class FrozenNormalizesWithBatch(StepwiseBatchNorm):
    """A frozen layer keeps its running statistics, but normalizes with the batch."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        pass


@fault("counter-moves-in-evaluation", "BN-EVAL-2", extra=("batches",))
class CounterMovesInEvaluation(CountsBatches):
    """The counter of batches counts evaluation calls too."""

    def evaluate(self, x: Any) -> Any:
        self.batches[...] = self.batches[...] + 1
        return super().evaluate(x)


@fault("counter-is-a-bare-array", "BN-STATE-3", extra=("batches",))
class CounterIsStatic(CountsBatches):
    """The counter of batches is a Python number, which no checkpoint has."""

    def create(self, d: int, rngs: Any) -> None:
        StepwiseBatchNorm.create(self, d, rngs)
        self.batches = 0

    def update(self, x: Any, mean: Array, var: Array) -> None:
        StepwiseBatchNorm.update(self, x, mean, var)
        self.batches += 1


@fault("scale-only-shifts", "BN-TRAIN-1", beta=None, diagnosed="y-shifted")
class ScaleOnlyShifts(ScaleOnly):
    """A layer without beta shifts by a constant."""

    def affine(self, z: Array) -> Array:
        return self.gamma[...] * z + 0.01


@fault(
    "mode-attribute-inverted",
    "BN-EVAL-1",
    "BN-TRAIN-1",
    flag=".training",
    flag_means="training",
    diagnosed="modes-exchanged",
)
class ModeAttributeInverted(ModeAttribute):
    """The attribute for training selects evaluation."""

    def __call__(self, x: Any) -> Any:  # type: ignore[override]
        return StepwiseBatchNorm.__call__(self, x, use_running_average=self.training)


@fault("width-left-out", "BN-TRAIN-1", "BN-EMA-2", ndim=4, diagnosed="axis-left-out")
class WidthLeftOut(Images):
    """The statistics of images are those of each column: the width is left out of the sums."""

    def over(self) -> tuple[int, ...]:
        return (0, 1)

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, *(jnp.mean(each, axis=2, keepdims=True) for each in (mean, var)))


@fault(
    "height-left-out-of-variance",
    "BN-TRAIN-1",
    "BN-EMA-2",
    ndim=4,
    layout="first",
    diagnosed="variance-of-first-position",
)
class HeightLeftOutOfVariance(Nchw):
    """The variance of images is that of their first row of pixels."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        return super().batch_var(x[:, :, :1], mean)


@fault("images-reshaped", "BN-TRAIN-1", "BN-EVAL-1", ndim=4, layout="first")
class ImagesReshaped(Nchw):
    """Images with the features on axis 1 are reshaped to rows, where a transposition is needed."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        n, d, height, width = x.shape
        rows = x.reshape(-1, d) - mean.reshape(-1)
        return (rows * self.inverse_std(var).reshape(-1)).reshape(n, d, height, width)
