"""Faults that need several calls in some order: counters, leftovers, and caches of inputs."""

from __future__ import annotations

from collections import deque
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import jax
import numpy as np

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@dataclass
class _Memory:
    """What a layer remembers outside its state."""

    trained: int = 0
    evaluated: int = 0
    in_a_row: int = 0
    mode_changes: int = 0
    mode: bool | None = None
    batches: deque[bytes] = field(default_factory=lambda: deque(maxlen=2))


_MEMORIES: MutableMapping[Any, _Memory] = WeakKeyDictionary()


class _Remembering(StepwiseBatchNorm):
    """Counts its calls, except while it is traced."""

    @property
    def memory(self) -> _Memory:
        return _MEMORIES.setdefault(self, _Memory())

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if isinstance(x, jax.core.Tracer) or isinstance(self.gamma[...], jax.core.Tracer):
            return StepwiseBatchNorm.__call__(self, x, use_running_average)
        memory, evaluate = self.memory, bool(use_running_average)
        memory.mode_changes += memory.mode is not None and memory.mode != evaluate
        memory.in_a_row = memory.in_a_row + 1 if memory.mode == evaluate else 1
        memory.mode = evaluate
        if evaluate:
            memory.evaluated += 1
            return self.remembered_evaluate(x)
        memory.trained += 1
        y = self.remembered_train(x)
        memory.batches.append(np.asarray(x).tobytes())
        return y

    def remembered_evaluate(self, x: Any) -> Any:
        return super().evaluate(x)

    def remembered_train(self, x: Any) -> Any:
        return super().train_step(x)


@fault("stops-after-seven", "BN-SEQ-1", diagnosed="never-stored@calls>=8")
class StopsAfterSeven(_Remembering):
    """After seven training calls the statistics count as settled."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if self.memory.trained <= 7:
            super().update(x, mean, var)


@fault("unbiased-after-twenty", "BN-SEQ-1")
class UnbiasedAfterTwenty(_Remembering):
    """After twenty training calls the variance is the unbiased one."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        rows = x.shape[0]
        late = self.memory.trained > 20 and rows > 1
        return super().batch_var(x, mean) * (rows / (rows - 1) if late else 1)


@fault("slower-after-one-hundred-and-fifty", "BN-SEQ-1")
class SlowerAfterOneHundredAndFifty(_Remembering):
    """After 150 training calls new batches get half their weight."""

    def moved(self, old: Array, new: Array) -> Array:
        moved = super().moved(old, new)
        return (old + moved) / 2 if self.memory.trained > 150 else moved


@fault("third-evaluation-in-a-row", "BN-SEQ-1", diagnosed="varies")
class ThirdEvaluationInARow(_Remembering):
    """The third evaluation in a row, and those that follow it, leave out beta."""

    def remembered_evaluate(self, x: Any) -> Any:
        y = super().remembered_evaluate(x)
        return y - self.beta[...] if self.memory.in_a_row > 2 else y


@fault("evaluated-in-between", "BN-SEQ-1")
class EvaluatedInBetween(_Remembering):
    """A training call after training and evaluating does not move the running mean."""

    def remembered_train(self, x: Any) -> Any:
        stored = self.running_mean[...]
        y = super().remembered_train(x)
        if self.memory.mode_changes > 1 and self.memory.in_a_row == 1:
            self.running_mean[...] = stored
        return y


@fault("fifth-change-of-mode", "BN-SEQ-1")
class FifthChangeOfMode(_Remembering):
    """From the fifth change of mode on, evaluation normalises with the batch."""

    def remembered_evaluate(self, x: Any) -> Any:
        if self.memory.mode_changes > 4:
            return self.output(x, *self.statistics(x))
        return super().remembered_evaluate(x)


@fault("seen-two-calls-ago", "BN-SEQ-1")
class SeenTwoCallsAgo(_Remembering):
    """A batch that recurs after another one is not counted again."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        seen = list(self.memory.batches)
        this = b"" if isinstance(x, jax.core.Tracer) else np.asarray(x).tobytes()
        if not (len(seen) == 2 and seen[0] == this != seen[1]):
            super().update(x, mean, var)


@fault("scale-kept-after-twenty-evaluations", "BN-SEQ-1")
class ScaleKeptAfterTwentyEvaluations(_Remembering):
    """The twentieth evaluation folds scale and shift for good."""

    def remembered_evaluate(self, x: Any) -> Any:
        if self.memory.evaluated == 20:
            _FOLDED[self] = (self.running_mean[...], self.inverse_std(self.running_var[...]))
        if self not in _FOLDED:
            return super().remembered_evaluate(x)
        mean, root = _FOLDED[self]
        return self.affine((x - mean) * root)


_FOLDED: MutableMapping[Any, tuple[Array, Array]] = WeakKeyDictionary()


@fault("reset-looks-new", "BN-SEQ-1")
class ResetLooksNew(_Remembering):
    """With statistics of 0 and 1 after training, the next batch replaces them."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if self.memory.trained > 1 and not isinstance(mean, jax.core.Tracer):
            zeros, ones = self.running_mean[...], self.running_var[...]
            if not zeros.any() and bool((ones == 1).all()):
                self.running_mean[...], self.running_var[...] = mean, var
                return
        super().update(x, mean, var)
