"""Faulty evaluation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from impl.faulty.box import Boxed
from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("evaluation-updates", "BN-EVAL-2", "BN-EVAL-5")
class EvaluationUpdates(StepwiseBatchNorm):
    """Evaluation moves the running statistics."""

    def evaluate(self, x: Any) -> Any:
        y = super().evaluate(x)
        self.update(x, *self.statistics(x))
        return y


@fault("evaluation-counts", "BN-EVAL-2")
class EvaluationCounts(StepwiseBatchNorm):
    """Evaluation counts its calls on the module."""

    def evaluate(self, x: Any) -> Any:
        self.evaluations = getattr(self, "evaluations", 0) + 1
        return super().evaluate(x)


@fault("evaluation-uses-batch", "BN-EVAL-1", "BN-EVAL-3")
class EvaluationUsesBatch(StepwiseBatchNorm):
    """Evaluation normalises with the statistics of the batch."""

    def evaluate(self, x: Any) -> Any:
        return self.output(x, *self.statistics(x))


@fault("evaluation-single-row-identity", "BN-EVAL-3", diagnosed="identity-in-evaluation@one-row")
class SingleRowUntouched(StepwiseBatchNorm):
    """Evaluation returns a single row as it is."""

    def evaluate(self, x: Any) -> Any:
        return jnp.asarray(x) if x.shape[0] == 1 else super().evaluate(x)


@fault("modes-weighted", "BN-NUM-4")
class ModesWeighted(StepwiseBatchNorm):
    """Both modes are computed and weighted by 0 and 1, where 0·NaN is NaN."""

    def evaluate(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        trained = self.output(x, mean, var)
        for variable, new in ((self.running_mean, mean), (self.running_var, var)):
            variable[...] = variable[...] + 0.0 * new
        return super().evaluate(x) + 0.0 * trained


@fault("statistics-weighted", "BN-NUM-4")
class StatisticsWeighted(StepwiseBatchNorm):
    """Evaluation selects the statistics by a weight of 0 for those of the batch."""

    def evaluate(self, x: Any) -> Any:
        mean, var = (0.0 * batch for batch in self.statistics(x))
        return self.output(x, self.running_mean[...] + mean, self.running_var[...] + var)


@fault("folded-once", "BN-EVAL-6", "BN-AFF-2", diagnosed=("folded-once", "folded-once@eager"))
class FoldedOnce(Boxed):
    """The first evaluation folds scale and shift, and later ones reuse them."""

    def evaluate(self, x: Any) -> Any:
        scale = self.gamma[...] * self.inverse_std(self.running_var[...])
        shift = self.beta[...] - self.running_mean[...] * scale
        scale, shift = self.box.contents.setdefault("folded", (scale, shift))
        return x * scale + shift


@fault("captured-at-construction", "BN-EVAL-1", "BN-EVAL-6", source="LaurentMazare/tch-rs#628")
class CapturedAtConstruction(Boxed):
    """Evaluation uses the statistics that were there at construction."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.box.contents["captured"] = (self.start_mean(d), self.start_var(d))

    def evaluate(self, x: Any) -> Any:
        return self.output(x, *self.box.contents["captured"])


@fault("evaluation-without-gain", "BN-EVAL-1", "BN-AFF-1", diagnosed="affine-unused@evaluation")
class EvaluationWithoutGain(StepwiseBatchNorm):
    """Evaluation leaves out gamma and beta."""

    def evaluate(self, x: Any) -> Any:
        return self.normalized(x, self.running_mean[...], self.running_var[...])


@fault("zero-mean-is-uninitialised", "BN-EVAL-1")
class ZeroMeanIsUninitialised(StepwiseBatchNorm):
    """A running mean of exactly zero is taken as 'no statistics yet'."""

    def evaluate(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        fresh = self.running_mean[...] == 0
        return self.output(
            x,
            jnp.where(fresh, mean, self.running_mean[...]),
            jnp.where(fresh, var, self.running_var[...]),
        )


@fault("modes-exchanged", "BN-FLAG-3", "BN-TRAIN-1", "BN-EVAL-1")
class ModesExchanged(StepwiseBatchNorm):
    """True trains and False evaluates."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return super().__call__(x, not use_running_average)


@fault("flag-is-true", "BN-FLAG-4")
class FlagIsTrue(StepwiseBatchNorm):
    """Only the object True evaluates; 1 and np.True_ train."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return super().__call__(x, use_running_average is True)


@fault(
    "whole-evaluation-batch", "BN-EVAL-3", diagnosed=("evaluation-recentres", "output-recentres")
)
class CentredEvaluation(StepwiseBatchNorm):
    """Evaluation recentres its batch a little."""

    def output(self, x: Any, mean: Array, var: Array) -> Array:
        return super().output(x - 0.01 * (jnp.mean(x, axis=0) - mean), mean, var)


@fault(
    "zero-variance-is-uninitialised",
    "BN-EVAL-1",
    diagnosed=("zero-variance-is-uninitialised", "zero-variance-is-of-the-batch"),
)
class ZeroVarianceIsUninitialised(StepwiseBatchNorm):
    """A running variance of exactly zero is replaced by that of the batch."""

    def evaluate(self, x: Any) -> Any:
        _, var = self.statistics(x)
        stored = self.running_var[...]
        return self.output(x, self.running_mean[...], jnp.where(stored == 0, var, stored))


@fault("stored-variance-floor", "BN-EVAL-1", "BN-EPS-1")
class StoredVarianceFloor(StepwiseBatchNorm):
    """Evaluation raises running variances below 1e-5 to 1e-5."""

    def evaluate(self, x: Any) -> Any:
        return self.output(x, self.running_mean[...], jnp.maximum(self.running_var[...], 1e-5))


@fault("stored-variance-cap", "BN-NUM-2", "BN-NUM-3")
class StoredVarianceCap(StepwiseBatchNorm):
    """Evaluation cuts running variances above 1e6 to 1e6."""

    def evaluate(self, x: Any) -> Any:
        return self.output(x, self.running_mean[...], jnp.minimum(self.running_var[...], 1e6))


@fault("evaluation-after-training", "BN-EVAL-6")
class EvaluationAfterTraining(Boxed):
    """After a training call, evaluation normalises with the statistics of that batch."""

    def train_step(self, x: Any) -> Any:
        self.box.contents["recent"] = self.statistics(x)
        return super().train_step(x)

    def evaluate(self, x: Any) -> Any:
        recent = self.box.contents.get("recent")
        return super().evaluate(x) if recent is None else self.output(x, *recent)


@fault(
    "folded-until-training",
    "BN-EVAL-6",
    "BN-AFF-2",
    diagnosed=("folded-until-training", "folded-until-training@eager"),
)
class FoldedUntilTraining(FoldedOnce):
    """Folded scale and shift are dropped by training, but not by changes from outside."""

    def train_step(self, x: Any) -> Any:
        self.box.contents.clear()
        return super().train_step(x)


@fault("root-kept-with-mean", "BN-EVAL-6")
class RootKeptWithMean(Boxed):
    """The inverse root is kept for as long as the running mean does not change."""

    def evaluate(self, x: Any) -> Any:
        mean = self.running_mean[...]
        if isinstance(mean, jax.core.Tracer):
            return super().evaluate(x)
        key = tuple(mean.tolist())
        contents = self.box.contents
        if contents.get("key") != key:
            contents["key"], contents["root"] = key, self.inverse_std(self.running_var[...])
        return self.affine((x - mean) * contents["root"])


@fault("mode-of-the-module-wins", "BN-FLAG-5")
class ModeOfTheModuleWins(StepwiseBatchNorm):
    """After module.eval() or module.train(), that mode applies instead of the argument."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.use_running_average: bool | None = None

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        kept = self.use_running_average
        return super().__call__(x, use_running_average if kept is None else kept)


@fault("either-flag-evaluates", "BN-FLAG-5")
class EitherFlagEvaluates(StepwiseBatchNorm):
    """After module.eval() a training call evaluates."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.deterministic = False

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return super().__call__(x, self.deterministic or use_running_average)
