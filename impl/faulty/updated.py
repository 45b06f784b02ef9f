"""Faults in what a layer makes of values that are restored into it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

import jax
import numpy as np
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


class _Ignoring(nnx.Param[Any]):
    def update_from_state(self, variable_state: Any) -> None:
        """Keep the old statistics."""


@fault("update-ignores-beta", "BN-SER-1", "BN-SER-3", "BN-SER-4")
class UpdateIgnoresBeta(StepwiseBatchNorm):
    """nnx.update does not change beta."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.beta = _Ignoring(self.start_beta(d))


class _Averaging(nnx.Variable[Any]):
    def update_from_state(self, variable_state: Any) -> None:
        old = self.get_value()
        super().update_from_state(variable_state)
        if not isinstance(old, jax.core.Tracer):
            self.set_value(0.5 * old + 0.5 * self.get_value())


@fault("update-is-averaged", "BN-SER-1", "BN-SER-3", "BN-SER-4")
class UpdateIsAveraged(StepwiseBatchNorm):
    """A restored running variance is averaged with the current one."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_var = _Averaging(self.start_var(d))


def _noted(variable: Any, default: Any) -> Any:
    """Return what was noted on a Variable itself, beside its value and metadata."""
    try:
        return object.__getattribute__(variable, "noted")
    except AttributeError:
        return default


def _note(variable: Any, value: Any) -> None:
    object.__setattr__(variable, "noted", value)


class _Once(nnx.Param[Any]):
    __slots__ = ("noted",)

    def update_from_state(self, variable_state: Any) -> None:
        old = self.get_value()
        given = variable_state.get_value()
        if isinstance(old, jax.core.Tracer) or isinstance(given, jax.core.Tracer):
            super().update_from_state(variable_state)
        elif not np.array_equal(old, given) and not _noted(self, False):
            super().update_from_state(variable_state)
            _note(self, True)


@fault("update-once", "BN-SER-4")
class UpdateOnce(StepwiseBatchNorm):
    """Only the first nnx.update of gamma has an effect."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.gamma = _Once(self.start_gamma(d, rngs))


class _Counting(nnx.Variable[Any]):
    __slots__ = ("noted",)

    def set_value(self, value: Any, **rest: Any) -> None:
        super().set_value(value, **rest)
        _note(self, _noted(self, 0) + 1)


_SCALES: MutableMapping[Any, tuple[int, Array]] = WeakKeyDictionary()


@fault("update-behind-the-cache", "BN-SER-3", "BN-SER-4")
class UpdateBehindTheCache(StepwiseBatchNorm):
    """The inverse root is cached until the layer writes the variance; nnx.update goes unnoticed."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_var = _Counting(self.start_var(d))

    def evaluate(self, x: Any) -> Any:
        mean, var = self.running_mean[...], self.running_var[...]
        if isinstance(var, jax.core.Tracer):
            return self.output(x, mean, var)
        writes, root = _SCALES.get(self, (-1, var))
        if writes != _noted(self.running_var, 0):
            root = self.inverse_std(var)
            _SCALES[self] = (_noted(self.running_var, 0), root)
        return self.affine((x - mean) * root)


_FOLDED: MutableMapping[Any, tuple[Array, Array]] = WeakKeyDictionary()


@fault(
    "evaluation-cached-until-training",
    "BN-EVAL-6",
    "BN-SER-4",
    "BN-SEQ-1",
    diagnosed=("folded-until-training", "folded-until-training@eager"),
)
class EvaluationCachedUntilTraining(StepwiseBatchNorm):
    """Scale and shift are folded at the first evaluation, and again only after training."""

    def evaluate(self, x: Any) -> Any:
        if isinstance(self.gamma[...], jax.core.Tracer) or isinstance(x, jax.core.Tracer):
            return super().evaluate(x)
        if self not in _FOLDED:
            scale = self.gamma[...] * self.inverse_std(self.running_var[...])
            _FOLDED[self] = (scale, self.beta[...] - self.running_mean[...] * scale)
        scale, shift = _FOLDED[self]
        return x * scale + shift

    def train_step(self, x: Any) -> Any:
        _FOLDED.pop(self, None)
        return super().train_step(x)


class _Moments:
    """Running statistics beside the state, the same object in every clone."""

    carried: tuple[Array, Array] | None = None


@fault("clones-share-moments", "BN-SER-2", "BN-SER-4", "BN-SEQ-1")
class ClonesShareMoments(StepwiseBatchNorm):
    """Training continues from statistics in an object that clones share."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.moments = _Moments()

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if isinstance(mean, jax.core.Tracer):
            super().update(x, mean, var)
            return
        old = self.moments.carried or (self.running_mean[...], self.running_var[...])
        new = (self.moved(old[0], mean), self.moved_var(old[1], var))
        self.moments.carried = new
        self.running_mean[...], self.running_var[...] = new


class _Lagging(nnx.Variable[Any]):
    __slots__ = ("noted",)

    def get_value(self, **rest: Any) -> Any:
        pending = _noted(self, None)
        return super().get_value(**rest) if pending is None else pending

    def set_value(self, value: Any, **rest: Any) -> None:
        if isinstance(value, jax.core.Tracer):
            super().set_value(value, **rest)
            return
        pending = _noted(self, None)
        super().set_value(value if pending is None else pending, **rest)
        _note(self, value)

    def update_from_state(self, variable_state: Any) -> None:
        _note(self, None)
        super().update_from_state(variable_state)


@fault(
    "written-back-late",
    *("BN-SER-1", "BN-SER-2", "BN-SER-3"),
    diagnosed="never-stored-mean@compiled",
)
class WrittenBackLate(StepwiseBatchNorm):
    """The running mean is written back one update late, so a split state is out of date."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean = _Lagging(self.start_mean(d))


_TRUSTED: MutableMapping[Any, tuple[Array, Array]] = WeakKeyDictionary()


@fault("restored-but-not-trusted", "BN-SER-4", "BN-SEQ-1")
class RestoredButNotTrusted(StepwiseBatchNorm):
    """Once trained, a layer continues from its own copy of the statistics, whatever is restored."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if isinstance(mean, jax.core.Tracer):
            super().update(x, mean, var)
            return
        old = _TRUSTED.get(self, (self.running_mean[...], self.running_var[...]))
        _TRUSTED[self] = (self.moved(old[0], mean), self.moved_var(old[1], var))
        self.running_mean[...], self.running_var[...] = _TRUSTED[self]
