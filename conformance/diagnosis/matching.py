"""Does an alternative reproduce everything that was observed?

An alternative matches if every number of every call lies within its own bound, which the model
propagates (see ``approximate``; half as much again is in reserve for algorithms that round more
often than the textbook's), and if it explains calls that the truth does not: calls where both
predictions differ by more than both bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from conformance.bounds import Accuracy
from conformance.diagnosis import gradient
from conformance.diagnosis.approximate import Approximate, Float64, exact
from conformance.diagnosis.model import Model, RaisesError, Steps
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.registry import Alternative
from conformance.diagnosis.scopes import EVERYWHERE, Scope

Quantities = dict[str, Approximate]

_IMPOSSIBLE = {"a prediction": exact(np.nan)}
"""What is predicted where a mistake cannot be made at all: nothing observed agrees with it."""

_RESERVE = 1.5
_FLUSHED = 1e-36
"""Subnormal results may be flushed, and be scaled afterwards."""


def bound(predicted: Approximate) -> np.ndarray:
    """Return how far an observed number may be from a predicted one."""
    allowed: np.ndarray = _RESERVE * predicted.error + _FLUSHED
    return allowed


def observed(observation: Observation) -> Quantities:
    """Return the numbers of a call by name, as far as it returned."""
    found: Quantities = {}
    if observation.y is not None:
        found["y"] = exact(observation.y)
    if observation.after is not None:
        found |= {name: exact(a) for name, a in observation.after.arrays().items()}
    if observation.gradients is not None:
        found |= {name: exact(a) for name, a in observation.gradients.items()}
    if observation.x_after is not None:
        found["x afterwards"] = exact(observation.x_after)
    return found


def ratios(predicted: Quantities, seen: Quantities) -> dict[str, np.ndarray]:
    """Return |observed − predicted| ÷ bound by quantity; infinite where shapes differ.

    Anything that is not finite equals anything that is not finite: which of NaN and ∞ appears
    is up to the order of operations. A bound that is infinite or undefined claims nothing.
    """
    result = {}
    for name, expected in predicted.items():
        got = seen.get(name)
        if got is None or got.shape != expected.shape:
            result[name] = np.array([np.inf])
            continue
        with np.errstate(all="ignore"):
            ratio = np.abs(got.value - expected.value) / bound(expected)
        undefined = ~np.isfinite(got.value) & ~np.isfinite(expected.value)
        unknown = np.isnan(expected.error) & np.isfinite(expected.value)
        free = undefined | unknown | np.isinf(expected.error)
        result[name] = np.where(free, 0, np.where(np.isnan(ratio), np.inf, ratio))
    return result


def agrees(predicted: Quantities | None, seen: Quantities, raised: str) -> bool:
    """Whether a prediction covers a call; None predicts an exception."""
    if predicted is None or raised:
        return predicted is None and bool(raised)
    return all((ratio <= 1).all() for ratio in ratios(predicted, seen).values())


@dataclass(slots=True)
class Predictor:
    """Predicts calls by the model with some steps replaced wherever the scope holds."""

    steps: Steps
    scope: Scope
    accuracy: Accuracy

    def model(self, observation: Observation) -> Model:
        """Return a model of a fresh layer."""
        return Model(observation.config, self.accuracy, self.steps)

    def one(self, observation: Observation, model: Model | None = None) -> Quantities | None:
        """Return what one call gives; ``model`` is a live one with a memory."""
        model = model or self.model(observation)
        model.active = self.scope.holds(observation)
        model.calls, model.config = observation.earlier, observation.config
        with np.errstate(all="ignore"):
            try:
                return _predicted(model, observation)
            except RaisesError:
                return None
            except (ValueError, IndexError, ZeroDivisionError, OverflowError):
                return _IMPOSSIBLE  # shapes that cannot be combined, for example

    def series(self, observations: list[Observation]) -> Iterator[Quantities | None]:
        """Yield what the calls of one layer give, in their order."""
        model = self.model(observations[0])
        for observation in observations:
            yield self.one(observation, model)


def _predicted(model: Model, observation: Observation) -> Quantities:
    call = observation.call
    if call is None:
        return {name: exact(array) for name, array in model.do("start").items()}
    x = call.x.astype(np.float64)
    model.container = call.container
    if observation.before is None:
        model.forwarding = True
        y = model.do("forward", call.seed, x, call.flag)
        return {"y": y, "x afterwards": exact(model.do("input_afterwards", x))}
    model.hold(observation.before)
    if call.cotangent is not None:
        return _differentiated(model, observation, x)
    y = model.call(x, call.flag, compiled=call.compiled)
    after = model.held()
    return {"y": y, **after, "x afterwards": exact(model.do("input_afterwards", x))}


def _differentiated(model: Model, observation: Observation, x: Float64) -> Quantities:
    call = observation.call
    assert call is not None, "called for gradients"  # noqa: S101
    assert call.cotangent is not None, "called for gradients"  # noqa: S101
    w = call.cotangent.astype(np.float64)
    if call.kind == "update":
        return gradient.updated(model, x)
    if call.kind == "through":
        leaked = gradient.through_statistics(model, x, w[0], w[1])
        return {"gradient through the statistics": leaked}
    return gradient.gradients(model, x, w, training=call.training)


@dataclass(slots=True)
class Evidence:
    """All that was observed, what the truth predicts, and the calls that it does not cover."""

    observations: list[Observation]
    seen: list[Quantities]
    truth: list[Quantities | None]
    deviant: list[int]
    accuracy: Accuracy

    def distinguishes(self, index: int, predicted: Quantities | None) -> bool:
        """Whether a prediction differs from the truth by more than both bounds."""
        truth = self.truth[index]
        if predicted is None or truth is None:
            return predicted is not truth
        for name, right in truth.items():
            other = predicted.get(name)
            if other is None or other.shape != right.shape:
                return True
            with np.errstate(all="ignore"):
                gap = np.abs(other.value - right.value)
                clear = gap > bound(other) + bound(right)
                undefined = np.isfinite(other.value) != np.isfinite(right.value)
            if (clear | undefined).any():
                return True
        return False


def gather(observations: list[Observation], accuracy: Accuracy, truth: Predictor) -> Evidence:
    """Compare everything that was observed with the truth."""
    seen = [observed(o) for o in observations]
    right = [truth.one(o) for o in observations]
    worst = {
        index: _worst(right[index], seen[index], o.raised)
        for index, o in enumerate(observations)
        if not agrees(right[index], seen[index], o.raised)
    }
    deviant = sorted(worst, key=lambda index: -worst[index])
    return Evidence(observations, seen, right, deviant, accuracy)


def _worst(predicted: Quantities | None, seen: Quantities, raised: str) -> float:
    if predicted is None or raised:
        return np.inf
    return max(float(ratio.max(initial=0)) for ratio in ratios(predicted, seen).values())


@dataclass(slots=True)
class Tally:
    """What one alternative gives call by call, computed when it is asked for.

    It covers every call that deviates from the truth; elsewhere it counts only in scope.
    """

    evidence: Evidence
    predicted: dict[int, Quantities | None]
    predictor: Predictor
    widens: bool
    verdicts: dict[int, tuple[bool, bool]] = field(default_factory=dict)

    def explained(self, scope: Scope) -> int:
        """Return how many calls in scope it explains that the truth does not; 0: no match."""
        inside = [i for i, o in enumerate(self.evidence.observations) if scope.holds(o)]
        count = 0
        for index in inside:
            agrees_here, distinguishes = self._verdict(index)
            if not agrees_here:
                return 0
            count += distinguishes
        return count

    def _verdict(self, index: int) -> tuple[bool, bool]:
        if index not in self.verdicts:
            observation = self.evidence.observations[index]
            if index not in self.predicted:
                self.predicted[index] = self.predictor.one(observation)
            predicted = self.predicted[index]
            if not agrees(predicted, self.evidence.seen[index], observation.raised):
                self.verdicts[index] = (False, False)
            elif self.widens:
                self.verdicts[index] = (True, index in self.evidence.deviant)
            else:
                self.verdicts[index] = (True, self.evidence.distinguishes(index, predicted))
        return self.verdicts[index]

    def covers_deviants(self) -> bool:
        """Whether it covers every call that the truth does not."""
        return all(self._verdict(index)[0] for index in self.evidence.deviant)


def tally(
    evidence: Evidence, alternative: Alternative, constant: float, scope: Scope = EVERYWHERE
) -> Tally | None:
    """Return the tally of an alternative, or None if a deviant call refutes it.

    A mistake that remembers is replayed series by series, with the mistake made in ``scope``.
    """
    predictor = Predictor(alternative.steps(constant), scope, evidence.accuracy)
    if alternative.widens and not predictor.steps:
        predictor.accuracy = Accuracy.ONE_PASS
    if not alternative.remembers:
        made = Tally(evidence, {}, predictor, alternative.widens)
        return made if made.covers_deviants() else None
    predicted: dict[int, Quantities | None] = {}
    series = {o.series for o in evidence.observations}
    suspects = {evidence.observations[index].series for index in evidence.deviant}
    for number in sorted(series, key=lambda n: n not in suspects):
        indices = [i for i, o in enumerate(evidence.observations) if o.series == number]
        calls = [evidence.observations[index] for index in indices]
        for index, given in zip(indices, predictor.series(calls), strict=True):
            predicted[index] = given
            if scope.holds(evidence.observations[index]) and not agrees(
                given, evidence.seen[index], evidence.observations[index].raised
            ):
                return None
    made = Tally(evidence, predicted, predictor, alternative.widens)
    return made if made.covers_deviants() else None
