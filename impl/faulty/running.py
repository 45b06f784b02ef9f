"""Faulty running statistics."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("momentum-of-the-new", "BN-EMA-1", "BN-EMA-2", source="paddle#51120, pytorch#15298")
class MomentumOfTheNew(StepwiseBatchNorm):
    """Momentum is the weight of the new value, the convention of other frameworks."""

    def moved(self, old: Array, new: Array) -> Array:
        return (1 - self.momentum) * old + self.momentum * jax.lax.stop_gradient(new)


@fault("overwritten", "BN-EMA-1", "BN-EMA-4")
class Overwritten(StepwiseBatchNorm):
    """The running statistics are replaced by those of the batch."""

    def moved(self, old: Array, new: Array) -> Array:
        return 0 * old + new


@fault("never-stored", "BN-EMA-1", "BN-EMA-2", "BN-STATE-6", source="google/jax#139")
class NeverStored(StepwiseBatchNorm):
    """The update is computed and thrown away."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        self.moved(self.running_mean[...], mean)
        self.moved_var(self.running_var[...], var)


@fault("unbiased-running", "BN-EMA-2", source="PyTorch's convention")
class UnbiasedRunning(StepwiseBatchNorm):
    """The running variance follows the unbiased variance."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        rows = x.shape[0]
        super().update(x, mean, var * (rows / max(rows - 1, 1)))


@fault(
    "unbiased-running-nan",
    "BN-EMA-2",
    "BN-SHAPE-1",
    source="pytorch/pytorch#1381",
    diagnosed=("unbiased-running-nan", "unbiased-running-nan@one-row"),
)
class UnbiasedRunningNan(StepwiseBatchNorm):
    """The factor N/(N−1) makes the running variance NaN for a single row."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        rows = x.shape[0]
        super().update(x, mean, var if rows > 1 else jnp.full_like(var, jnp.nan))


@fault("std-stored", "BN-EMA-2", source="torch/nn#567")
class StdStored(StepwiseBatchNorm):
    """The running variance follows the standard deviation."""

    def moved_var(self, old: Array, new: Array) -> Array:
        return self.moved(old, jnp.sqrt(new))


@fault("eps-stored", "BN-EMA-2", "BN-EMA-7")
class EpsStored(StepwiseBatchNorm):
    """eps is added to the variance that is stored."""

    def moved_var(self, old: Array, new: Array) -> Array:
        return self.moved(old, new + self.eps)


@fault("momentum-one-overwrites", "BN-EMA-4")
class MomentumOneOverwrites(StepwiseBatchNorm):
    """Momentum 1 is read as 'no averaging' and overwrites."""

    def moved(self, old: Array, new: Array) -> Array:
        return new if self.momentum == 1 else super().moved(old, new)


@fault("momentum-one-creeps", "BN-EMA-8")
class MomentumBelowOne(StepwiseBatchNorm):
    """Momentum 1 is clipped to the number before it, so frozen statistics creep."""

    def moved(self, old: Array, new: Array) -> Array:
        kept = min(self.momentum, 1 - 2**-24)
        return kept * old + (1 - kept) * jax.lax.stop_gradient(new)


@fault("repeats-skipped", "BN-EMA-3", "BN-EMA-6")
class RepeatsSkipped(StepwiseBatchNorm):
    """A batch equal to the previous one is taken as seen already and skipped."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        seen = getattr(self, "seen", None)
        if seen is None or seen != repr(x):
            super().update(x, mean, var)
        self.seen = repr(x)


@fault("stops-after-100", "BN-EMA-6")
class StopsAfter100(StepwiseBatchNorm):
    """The statistics freeze after a hundred training calls."""

    calls = 0

    def update(self, x: Any, mean: Array, var: Array) -> None:
        self.calls += 1
        if self.calls <= 100:
            super().update(x, mean, var)


@fault("first-batch-copied", "BN-EMA-1", "BN-IND-2")
class FirstBatchCopied(StepwiseBatchNorm):
    """The first batch replaces the statistics, whatever the momentum."""

    started = False

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        if not self.started:
            self.running_mean[...], self.running_var[...] = mean, var
        self.started = True


@fault("updated-twice", "BN-EMA-3", "BN-EMA-1")
class UpdatedTwice(StepwiseBatchNorm):
    """Each training call updates twice."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        super().update(x, mean, var)


@fault("weighted-by-rows", "BN-TRAIN-5", "BN-EMA-1")
class WeightedByRows(StepwiseBatchNorm):
    """The weight of a batch grows with its number of rows."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        weight = (1 - self.momentum) * x.shape[0] / (x.shape[0] + 1)
        self.running_mean[...] += weight * (mean - self.running_mean[...])
        self.running_var[...] += weight * (var - self.running_var[...])


@fault("every-second-update", "BN-EMA-3", "BN-EMA-6")
class EverySecondUpdate(StepwiseBatchNorm):
    """Only every second training call updates."""

    calls = 0

    def update(self, x: Any, mean: Array, var: Array) -> None:
        self.calls += 1
        if self.calls % 2:
            super().update(x, mean, var)


@fault(
    "cumulative-average",
    "BN-EMA-3",
    "BN-EMA-6",
    source="torch.nn.BatchNorm1d(momentum=None)",
    diagnosed="cumulative-from-second",
)
class CumulativeAverage(StepwiseBatchNorm):
    """From the second call on, each batch weighs as much as each one before, if momentum allows."""

    calls = 0

    def update(self, x: Any, mean: Array, var: Array) -> None:
        self.calls += 1
        given = self.momentum
        self.momentum = given if self.calls == 1 else min(given, 1 - 1 / self.calls)
        super().update(x, mean, var)
        self.momentum = given


@fault("warm-up", "BN-EMA-1", "BN-EMA-3", source="tf.train.ExponentialMovingAverage(num_updates)")
class WarmUp(StepwiseBatchNorm):
    """The momentum of early calls is at most k/(k+1)."""

    calls = 0

    def update(self, x: Any, mean: Array, var: Array) -> None:
        self.calls += 1
        given, self.momentum = self.momentum, min(self.momentum, self.calls / (self.calls + 1))
        super().update(x, mean, var)
        self.momentum = given


@fault("momentum-decays", "BN-EMA-6")
class MomentumDecays(StepwiseBatchNorm):
    """The momentum shrinks by a hundred-thousandth at each update."""

    updates = 0

    def moved(self, old: Array, new: Array) -> Array:
        self.updates += 1
        kept = self.momentum * (1 - 1e-5 * self.updates)
        return kept * old + (1 - kept) * new


@fault("small-steps-skipped", "BN-EMA-6", "BN-EMA-1")
class SmallStepsSkipped(StepwiseBatchNorm):
    """Updates that change a statistic by less than a ten-thousandth are not made."""

    def moved(self, old: Array, new: Array) -> Array:
        moved = super().moved(old, new)
        return jnp.where(jnp.abs(moved - old) < 1e-4 * jnp.abs(old), old, moved)


@fault("variance-never-falls", "BN-EMA-2")
class VarianceNeverFalls(StepwiseBatchNorm):
    """The running variance keeps its maximum."""

    def moved_var(self, old: Array, new: Array) -> Array:
        return jnp.maximum(old, self.moved(old, new))


@fault("variance-around-running-mean", "BN-EMA-2")
class VarianceAroundRunningMean(StepwiseBatchNorm):
    """The variance that is stored is centred on the running mean."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del var
        super().update(x, mean, self.batch_var(x, self.running_mean[...]))


@fault("nan-batch-skipped", "BN-NUM-4")
class NanBatchSkipped(StepwiseBatchNorm):
    """One feature that is not finite keeps all features from being updated."""

    def moved(self, old: Array, new: Array) -> Array:
        return jnp.where(jnp.all(jnp.isfinite(new)), super().moved(old, new), old)
