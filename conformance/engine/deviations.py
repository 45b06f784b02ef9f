"""Judging declared deviations: needed, borne out, and nothing besides.

A requirement that holds by the declared conventions is judged once more by the strict reading.
If that fails, the implementation deviates there; if it holds although the requirement is the
one that shows a declared deviation, the declaration is superfluous.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis.errors import Flaky, Unsatisfiable

from conformance.adapters.implementation import Implementation
from conformance.engine.declared_reference import declared_reference
from conformance.engine.runner import Trial
from conformance.numerics.conventions import Conventions
from conformance.properties.support.checks import ViolationFound, taking_notes
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.deviations import Deviation, shown_in
from conformance.requirements.finding import Finding
from conformance.requirements.verdict import Outcome, Violation

SHOWN_BY = {
    Deviation.ONE_PASS_VARIANCE: "BN-NUM-1",
    Deviation.MOMENTUM_OF_NEW_VALUE: "BN-EMA-1",
    Deviation.UNBIASED_RUNNING_VARIANCE: "BN-EMA-2",
    Deviation.EMA_NORMALISED_TRAINING: "BN-TRAIN-1",
    Deviation.SINGLE_ROW_REFUSED: "BN-TRAIN-8",
    Deviation.TRUTHY_FLAG: "BN-FLAG-2",
    Deviation.GRADIENT_THROUGH_STATISTICS: "BN-GRAD-8",
    Deviation.ZERO_DEBIASED_STATISTICS: "BN-EMA-3",
    Deviation.FIRST_BATCH_REPLACES: "BN-EMA-1",
    Deviation.STATISTICS_IN_BFLOAT16: "BN-INIT-5",
    Deviation.STATISTICS_IN_FLOAT16: "BN-INIT-5",
    Deviation.STATISTICS_IN_FLOAT64: "BN-INIT-5",
    Deviation.OUTPUT_IN_BFLOAT16: "BN-TRAIN-1",
    Deviation.OUTPUT_IN_FLOAT16: "BN-TRAIN-1",
    Deviation.OUTPUT_IN_FLOAT64: "BN-SHAPE-3",
}
"""The requirement whose inputs are made to show each deviation, if it is there."""

_SHOWN_BY_FUNCTION = "BN-FWD-2"
"""The one that shows what shows in y of a training call, where there is no layer."""


def shown_by(deviation: Deviation, implementation: Implementation) -> str:
    """Return the id of the requirement that shows the deviation in this implementation."""
    place = shown_in(deviation, implementation.capabilities)
    own = SHOWN_BY[deviation]
    return own if REQUIREMENTS[own].needs is place.needs else _SHOWN_BY_FUNCTION


_ANSWERED_IN_16_BITS = (
    *(f"BN-GRAD-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 9)),  # cotangents of 16 bits
    *("BN-REMAT-1", "BN-SHARED-1", "BN-SHARED-2"),  # likewise, or such a y as an input
)

_CONTRADICTED = {
    Deviation.UNBIASED_RUNNING_VARIANCE: ("BN-TRAIN-5",),  # N/(N−1) is not that of 2N rows
    Deviation.GRADIENT_THROUGH_STATISTICS: ("BN-GRAD-8",),
    Deviation.ZERO_DEBIASED_STATISTICS: ("BN-EMA-4",),  # momentum 1 divides by 1 − 1ᵗ
    Deviation.OUTPUT_IN_BFLOAT16: _ANSWERED_IN_16_BITS,
    Deviation.OUTPUT_IN_FLOAT16: _ANSWERED_IN_16_BITS,
    Deviation.STATISTICS_IN_FLOAT16: ("BN-NUM-2", "BN-NUM-3"),  # sizes that float16 does not have
    Deviation.EMA_NORMALISED_TRAINING: (
        *("BN-TRAIN-2", "BN-TRAIN-10"),  # y depends on the averages, and is not standardised
        "BN-TYPE-4",  # its bound is for what the batch normalises
        "BN-SHARED-2",  # the gradients of a second use in one forward pass, at moved averages
    ),
}
"""What cannot hold under a deviation, and says nothing about a layer that declares it."""

_JUDGED_BY_BOUNDS = frozenset({Deviation.ONE_PASS_VARIANCE})
"""Its bound contains the strict one, so one run tells both readings."""


def contradicted(trial: Trial) -> bool:
    """Tell whether the requirement is set aside by something that is declared."""
    declared = trial.subject.implementation.deviations
    return any(trial.property.requirement.id in _CONTRADICTED.get(d, ()) for d in declared)


def finer(trial: Trial) -> Outcome:
    """Tell conforming from deviating, and from a declaration that is superfluous."""
    implementation = trial.subject.implementation
    declared = implementation.deviations
    compared = declared - _JUDGED_BY_BOUNDS
    for deviation in sorted(compared, key=lambda d: d.name):
        shows = shown_by(deviation, implementation) == trial.property.requirement.id
        without = declared - {deviation}
        if shows and not trial.cut and not _violated(trial, without) and told(trial, deviation):
            return superfluous(trial, deviation)
    if compared and _violated(trial, declared & _JUDGED_BY_BOUNDS):
        return Outcome.DEVIATES
    return Outcome.CONFORMS


def superfluous(trial: Trial, deviation: Deviation) -> Outcome:
    """Record that a declared deviation is not there."""
    trial.violation = Violation(
        finding=Finding(
            quantity=f"the declared deviation {deviation.name}",
            got="results within the bound that needs no declaration",
            expected="a deviation; remove the declaration",
        )
    )
    return Outcome.VIOLATES


def told(trial: Trial, deviation: Deviation) -> bool:
    """Tell whether the cases would have shown the deviation, if it were there.

    A layer that does follow what is declared must violate the requirement without it. Of gradients
    that layer has none; what shows in them shows in every case.
    """
    if deviation is Deviation.GRADIENT_THROUGH_STATISTICS:
        return True
    declared = trial.subject.implementation.deviations - {Deviation.GRADIENT_THROUGH_STATISTICS}
    return _violated(trial, declared - {deviation}, declared_reference(Conventions(declared)))


def _violated(
    trial: Trial, declared: frozenset[Deviation], by: Implementation | None = None
) -> bool:
    """Judge the same cases with fewer deviations declared, of the layer itself or another one."""
    implementation = replace(by or trial.subject.implementation, deviations=declared)
    other = Trial(trial.property, Subject(implementation), trial.budget)
    other.until = trial.until
    try:
        with taking_notes():
            other()
    except (ViolationFound, Flaky):
        return True
    except Unsatisfiable:
        return False
    return False
