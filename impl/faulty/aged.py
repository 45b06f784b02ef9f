"""Faulty averages that know their age, and declarations of such that are not true."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from conformance.requirements.deviations import Deviation
from impl.debiased import DebiasedBatchNorm
from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm

_DEBIASED = (Deviation.ZERO_DEBIASED_STATISTICS,)
_FIRST = (Deviation.FIRST_BATCH_REPLACES,)


@fault("debias-exponent-late", "BN-EMA-1", "BN-EMA-3", deviations=_DEBIASED, count="count")
class DebiasExponentLate(DebiasedBatchNorm):
    """The exponent of the debiasing is one too large."""

    def weight(self, updates: Array) -> Array:
        return super().weight(updates + 1)


@fault("debias-exponent-early", "BN-EMA-3", deviations=_DEBIASED, count="count")
class DebiasExponentEarly(DebiasedBatchNorm):
    """From the second update on the exponent of the debiasing is one too small."""

    def weight(self, updates: Array) -> Array:
        return super().weight(jnp.maximum(updates - 1, 1))


@fault("debias-by-wrong-base", "BN-EMA-1", "BN-EMA-3", deviations=_DEBIASED, count="count")
class DebiasByWrongBase(DebiasedBatchNorm):
    """The debiasing raises 1−m, the weight of the new value, to the power."""

    def weight(self, updates: Array) -> Array:
        return (1 - self.momentum) / jnp.maximum(1 - (1 - self.momentum) ** updates, 1e-6)


@fault("count-starts-at-one", "BN-EMA-1", "BN-EMA-3", deviations=_DEBIASED, count="count")
class CountStartsAtOne(DebiasedBatchNorm):
    """A fresh layer counts itself as updated once."""

    def start_count(self) -> Array:
        return jnp.ones((), jnp.int32)


@fault("count-stands-still", "BN-EMA-3", deviations=_DEBIASED, count="count")
class CountStandsStill(DebiasedBatchNorm):
    """The count never changes, so every batch is taken for the first."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        StepwiseBatchNorm.update(self, x, mean, var)


@fault(
    "count-not-saved", "BN-STATE-3", "BN-STATE-8", "BN-SER-1", deviations=_DEBIASED, count="count"
)
class CountNotSaved(DebiasedBatchNorm):
    """The count is an attribute of Python and gets lost where the state is taken apart."""

    def create(self, d: int, rngs: Any) -> None:
        StepwiseBatchNorm.create(self, d, rngs)
        self.count = 0

    def update(self, x: Any, mean: Array, var: Array) -> None:
        StepwiseBatchNorm.update(self, x, mean, var)
        self.count += 1

    def moved(self, old: Array, new: Array) -> Array:
        weight = self.weight(jnp.int32(self.count + 1))
        return old + weight * (jax.lax.stop_gradient(new) - old)


@fault("evaluation-counts-as-update", "BN-EVAL-2", deviations=_DEBIASED, count="count")
class EvaluationCounts(DebiasedBatchNorm):
    """Evaluation calls are counted as updates."""

    def evaluate(self, x: Any) -> Any:
        self.count[...] = self.count[...] + 1
        return super().evaluate(x)


@fault("debiased-in-evaluation", "BN-EMA-1", "BN-EMA-3", deviations=_DEBIASED, count="count")
class DebiasedInEvaluation(DebiasedBatchNorm):
    """Sums are stored, and divided by 1−mᵗ only where evaluation uses them."""

    def weight(self, updates: Array) -> Array:
        return jnp.full_like(updates, 1 - self.momentum, jnp.float32)

    def evaluate(self, x: Any) -> Any:
        share = jnp.where(self.count[...] == 0, 1, 1 - self.momentum ** self.count[...])
        return self.output(x, self.running_mean[...] / share, self.running_var[...] / share)


@fault("mean-debiased-only", "BN-EMA-2", deviations=_DEBIASED, count="count")
class MeanDebiasedOnly(DebiasedBatchNorm):
    """The running variance starts at 1 and keeps its bias towards it."""

    def moved_var(self, old: Array, new: Array) -> Array:
        return StepwiseBatchNorm.moved(self, old, new)


@fault("variance-debiased-from-one", "BN-EMA-2", source="equinox 0.13.8, mode='batch'",
       deviations=_DEBIASED, count="count")  # fmt: skip
class VarianceDebiasedFromOne(DebiasedBatchNorm):
    """The sum of the variance starts at 1 and is debiased as if it had started at 0."""

    def moved_var(self, old: Array, new: Array) -> Array:
        updates = self.count[...] + 1
        extra = self.momentum**updates / (1 - self.momentum**updates)
        return jnp.where(updates == 1, extra, 0) + self.moved(old, new)


@fault("debiasing-undeclared", "BN-EMA-1", "BN-EMA-3", "BN-STATE-3")
class DebiasingUndeclared(DebiasedBatchNorm):
    """The averages are zero-debiased, which is not declared."""


@fault("debiasing-declared-only", "BN-EMA-1", "BN-EMA-3", deviations=_DEBIASED, count="count")
class DebiasingDeclaredOnly(DebiasedBatchNorm):
    """Zero-debiased averages are declared; the layer counts updates, but averages as usual."""

    def weight(self, updates: Array) -> Array:
        return jnp.full_like(updates, 1 - self.momentum, jnp.float32)


@fault("debiasing-declared-as-first", "BN-EMA-3", deviations=_FIRST, count="count")
class DebiasingDeclaredAsFirst(DebiasedBatchNorm):
    """The averages are zero-debiased, but declared as replaced by the first batch."""


@fault("first-declared-as-debiasing", "BN-EMA-3", deviations=_DEBIASED, count="count")
class FirstDeclaredAsDebiasing(DebiasedBatchNorm):
    """The first batch replaces the averages, but zero-debiasing is declared."""

    def weight(self, updates: Array) -> Array:
        return jnp.where(updates == 1, 1, 1 - self.momentum)


@fault("first-two-batches-replace", "BN-EMA-3", deviations=_FIRST, count="count")
class FirstTwoBatchesReplace(DebiasedBatchNorm):
    """The second batch replaces the averages as well as the first."""

    def weight(self, updates: Array) -> Array:
        return jnp.where(updates <= 2, 1, 1 - self.momentum)


_AVERAGED = (*_FIRST, Deviation.EMA_NORMALISED_TRAINING)
_THROUGH = Deviation.GRADIENT_THROUGH_STATISTICS


class NormalisedByAverages(DebiasedBatchNorm):
    """Training normalises with averages that the first batch replaces; what the faults change."""

    def weight(self, updates: Array) -> Array:
        return jnp.where(updates == 1, 1, 1 - self.momentum)

    def train_step(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        used = self.moved(self.running_mean[...], mean), self.moved_var(self.running_var[...], var)
        self.update(x, mean, var)
        return self.output(x, *used)


@fault("averages-declared-through", "BN-GRAD-3", deviations=(*_AVERAGED, _THROUGH), count="count")
class AveragesDeclaredThrough(NormalisedByAverages):
    """A gradient through the averages is declared, but they are constants."""


@fault("averages-not-declared-through", "BN-GRAD-3", deviations=_AVERAGED, count="count")
class AveragesNotDeclaredThrough(NormalisedByAverages):
    """The averages that normalise y carry a gradient, which is not declared."""

    def moved(self, old: Array, new: Array) -> Array:
        return old + self.weight(self.count[...] + 1) * (new - old)


@fault("averages-mean-carries-none", "BN-GRAD-3", deviations=(*_AVERAGED, _THROUGH), count="count")
class AveragesMeanCarriesNone(AveragesNotDeclaredThrough):
    """Of the averages that normalise y, only the variance carries a gradient."""

    def moved(self, old: Array, new: Array) -> Array:
        return DebiasedBatchNorm.moved(self, old, new)

    def moved_var(self, old: Array, new: Array) -> Array:
        return AveragesNotDeclaredThrough.moved(self, old, new)


@fault("averages-of-before", "BN-TRAIN-1", "BN-TRAIN-8", "BN-SCAN-1",
       deviations=(*_AVERAGED, _THROUGH), count="count")  # fmt: skip
class AveragesOfBefore(AveragesNotDeclaredThrough):
    """Training normalises with the averages from before the batch."""

    def train_step(self, x: Any) -> Any:
        used = self.running_mean[...], self.running_var[...]
        self.update(x, *self.statistics(x))
        return self.output(x, *used)
