"""Compares the predictions of an alternative with all observations.

An alternative matches if every number of every call lies within its bound, and if it explains
calls that the reference model does not: calls where both predictions differ by more than both
bounds (see ``prediction``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from conformance.diagnosis.fault_model import Alternative
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.prediction import (
    Predictor,
    Quantities,
    agrees,
    error_ratios,
    largest_gap,
    quantities_of,
)
from conformance.diagnosis.scopes import EVERYWHERE, Part, Scope
from conformance.numerics.conventions import Conventions
from conformance.requirements.deviations import Deviation

_INEXACT = 100
"""How much larger the bound of one pass must be than that of two, for digits to be lost visibly."""


@dataclass(slots=True)
class Evidence:
    """The observations and the predictions of the reference model.

    Attributes:
        observations: Every call.
        seen: The observed numbers of each call by name.
        truth: The predictions without a mistake; None predicts an exception.
        deviant: The indices of calls that contradict the truth, the worst first.
        conventions: What the implementation declares.
        base: Mistakes that are known already; then ``truth`` is what they predict.
        names: The quantities that count; None for all.
        refuting: Of alternatives with their constants, the calls that refute them, by ``id``.
        solved: Numbers that were predicted to solve for a constant.
    """

    observations: list[Observation]
    seen: list[Quantities]
    truth: list[Quantities | None]
    deviant: list[int]
    conventions: Conventions
    base: tuple[Part, ...] = ()
    names: frozenset[str] | None = None
    refuting: dict[tuple[str, float], int] = field(default_factory=dict, repr=False)
    solved: dict[tuple[str, int, str, float], float] = field(default_factory=dict, repr=False)

    def keep(self, kept: Sequence[int]) -> Evidence:
        """Return the evidence of some calls, which shares what is refuted and solved."""
        order = {index: position for position, index in enumerate(kept)}
        return replace(
            self,
            observations=[self.observations[i] for i in kept],
            seen=[self.seen[i] for i in kept],
            truth=[self.truth[i] for i in kept],
            deviant=[order[i] for i in self.deviant if i in order],
        )

    @property
    def has_ranks(self) -> bool:
        """Whether there are calls on inputs of several axes."""
        return any(o.call is not None and o.call.around for o in self.observations)

    def restrict(self, predicted: Quantities | None) -> Quantities | None:
        """Return the predicted numbers that count."""
        if predicted is None or self.names is None:
            return predicted
        return {name: predicted[name] for name in self.names if name in predicted}

    def distinguishes(self, index: int, predicted: Quantities | None) -> bool:
        """Return whether a prediction differs from the truth by more than both bounds.

        Args:
            index: The index of the call.
            predicted: The predicted numbers by name; None predicts an exception.
        """
        truth = self.truth[index]
        if predicted is None or truth is None:
            return predicted is not truth
        for name, right in truth.items():
            other = predicted.get(name)
            if other is None or other.shape != right.shape:
                return True
            with np.errstate(all="ignore"):
                gap = np.abs(other.value - right.value)
                clear = gap > largest_gap(other) + largest_gap(right)
                undefined = np.isfinite(other.value) != np.isfinite(right.value)
            if (clear | undefined).any():
                return True
        return False


def gather(
    observations: list[Observation], conventions: Conventions, base: tuple[Part, ...] = ()
) -> Evidence:
    """Compare all observations with the predictions of the reference model.

    Args:
        observations: All calls, series by series.
        conventions: What the implementation declares.
        base: Mistakes that are known already.
    """
    truth = Predictor(base, conventions)
    seen = [quantities_of(o) for o in observations]
    right = [truth.one(o) for o in observations]
    worst = {
        index: _worst(right[index], seen[index], o.raised)
        for index, o in enumerate(observations)
        if not agrees(right[index], seen[index], o.raised)
    }
    deviant = sorted(worst, key=lambda index: -worst[index])
    return Evidence(observations, seen, right, deviant, conventions, base)


def _worst(predicted: Quantities | None, seen: Quantities, raised: str) -> float:
    if predicted is None or raised:
        return np.inf
    return max(float(ratio.max(initial=0)) for ratio in error_ratios(predicted, seen).values())


@dataclass(slots=True)
class Tally:
    """The verdicts on one alternative call by call, computed on demand.

    It covers every call that deviates from the truth; other calls count only in scope.
    """

    evidence: Evidence
    predicted: dict[int, Quantities | None]
    predictor: Predictor
    widens: bool
    verdicts: dict[int, tuple[bool, bool]] = field(default_factory=dict)

    def explained(self, scope: Scope) -> int:
        """Return how many calls in scope it explains that the truth does not.

        Zero if it contradicts a call in scope.
        """
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
            predicted = self.evidence.restrict(self.predicted[index])
            if not agrees(predicted, self.evidence.seen[index], observation.raised):
                self.verdicts[index] = (False, False)
            elif self.widens:
                self.verdicts[index] = (True, index in self.evidence.deviant)
            else:
                self.verdicts[index] = (True, self.evidence.distinguishes(index, predicted))
        return self.verdicts[index]

    def refuting(self) -> int | None:
        """Return the first call that contradicts the truth, and this as well; None for none."""
        found = (index for index in self.evidence.deviant if not self._verdict(index)[0])
        return next(found, None)

    def loses_digits(self) -> bool:
        """Return whether most calls in which its bound is much larger contradict the truth.

        A larger bound alone admits any small error, whatever its reason.
        """
        inexact = [i for i in range(len(self.evidence.observations)) if self._is_inexact(i)]
        return 2 * len(set(inexact).intersection(self.evidence.deviant)) >= len(inexact)

    def _is_inexact(self, index: int) -> bool:
        observation, truth = self.evidence.observations[index], self.evidence.truth[index]
        several = observation.call is not None and observation.call.x.shape[0] > 1
        predicted = self.predictor.one(observation) if several and not observation.raised else None
        restricted = self.evidence.restrict(predicted)
        if restricted is None or truth is None:
            return False
        with np.errstate(all="ignore"):
            return any(
                bool((largest_gap(other) > _INEXACT * largest_gap(truth[name])).any())
                for name, other in restricted.items()
                if name in truth and truth[name].shape == other.shape
            )


def tally(
    evidence: Evidence, alternative: Alternative, constant: float, scope: Scope = EVERYWHERE
) -> Tally | None:
    """Return the tally of an alternative, or None if a deviant call refutes it.

    Args:
        evidence: The observations.
        alternative: The mistake; one that remembers is replayed series by series.
        constant: The constant in the mistake; ignored if it has none.
        scope: Where a mistake that remembers is made.
    """
    steps = alternative.steps(constant)
    predictor = Predictor((*evidence.base, Part(steps, scope)), evidence.conventions)
    if alternative.widens and not steps:
        declared = evidence.conventions.deviations
        predictor.conventions = Conventions(declared | {Deviation.ONE_PASS_VARIANCE})
    if not alternative.remembers:
        made = Tally(evidence, {}, predictor, alternative.widens)
        inexact = steps or alternative.backward or not alternative.widens or made.loses_digits()
        key = alternative.id, constant if alternative.parameter else 0.0
        return made if inexact and _covers_deviants(made, key) else None
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
    return made if made.refuting() is None else None


def _covers_deviants(made: Tally, key: tuple[str, float]) -> bool:
    """Return whether a tally agrees with every call that contradicts the truth."""
    evidence = made.evidence
    calls = {id(evidence.observations[index]) for index in evidence.deviant}
    if evidence.refuting.get(key) in calls:
        return False
    refuting = made.refuting()
    if refuting is not None:
        evidence.refuting[key] = id(evidence.observations[refuting])
    return refuting is None
