"""Judges declared deviations: each must be needed, and be confirmed by the behaviour.

A requirement that is met by the declared conventions is judged once more by the strict reading.
If that fails, the implementation deviates there; if it is met although the requirement is the
one that shows a declared deviation, the declaration is not needed.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis.errors import Flaky, Unsatisfiable

from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.executor import LocalExecutor
from conformance.adapters.operations.forms import NUMPY_FORMS
from conformance.engine.declared_reference import declared_reference
from conformance.engine.runner import PropertyRun
from conformance.numerics.conventions import Conventions
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.notes import taking_notes
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.deviations import DEVIATIONS, Deviation, visibility_of
from conformance.requirements.finding import Finding
from conformance.requirements.verdict import Outcome, Violation

_SHOWN_BY_FUNCTION = "BN-FWD-2"
"""Shows deviations that are visible in the output, where only a forward function is offered."""

_BY_BOUNDS = frozenset(d for d, spec in DEVIATIONS.items() if spec.judged_by_bounds)


def is_shown(run: PropertyRun, deviation: Deviation) -> bool:
    """Return whether the requirement of a run is the one that shows the deviation."""
    visible = visibility_of(deviation, run.subject.implementation.capabilities)
    own = DEVIATIONS[deviation].shown_by
    shown_by = own if REQUIREMENTS[own].needs is visible.needs else _SHOWN_BY_FUNCTION
    return shown_by == run.property.requirement.id


def is_set_aside(run: PropertyRun) -> bool:
    """Return whether a declared deviation makes the requirement of a run inapplicable."""
    declared = run.subject.conventions.deviations
    return any(run.property.requirement.id in DEVIATIONS[each].sets_aside for each in declared)


def refine_outcome(run: PropertyRun) -> tuple[Outcome, Violation | None]:
    """Return whether a run that conforms does so without its declared deviations.

    Returns:
        ``CONFORMS``, ``DEVIATES``, or ``VIOLATES`` with the declaration that is not needed.
    """
    declared = run.subject.conventions.deviations
    compared = declared - _BY_BOUNDS
    for deviation in sorted(compared, key=lambda each: each.name):
        if not run.complete or not is_shown(run, deviation):
            continue
        holds_without = not _violates(run, declared - {deviation})
        if holds_without and cases_discriminate(run, deviation):
            return Outcome.VIOLATES, unneeded_declaration(deviation)
    if compared and _violates(run, declared & _BY_BOUNDS):
        return Outcome.DEVIATES, None
    return Outcome.CONFORMS, None


def unneeded_declaration(deviation: Deviation) -> Violation:
    """Return the violation of a declared deviation that is not there."""
    return Violation(
        finding=Finding(
            quantity=f"the declared deviation {deviation.name}",
            got="results within the bound that needs no declaration",
            expected="a deviation; remove the declaration",
        )
    )


def cases_discriminate(run: PropertyRun, deviation: Deviation) -> bool:
    """Return whether the cases of a run show the deviation in a layer that has it.

    A reference that follows the declared conventions must violate the requirement without this
    one. It has no gradients; a deviation that is visible in them is visible in every case.

    Args:
        run: A run that conforms.
        deviation: A declared deviation.
    """
    if deviation is Deviation.GRADIENT_THROUGH_STATISTICS:
        return True
    declared = run.subject.conventions.deviations - {Deviation.GRADIENT_THROUGH_STATISTICS}
    design = run.subject.implementation.design
    reference = declared_reference(Conventions(declared, design))
    return _violates(run, declared - {deviation}, reference)


def _violates(
    run: PropertyRun, declared: frozenset[Deviation], by: Implementation | None = None
) -> bool:
    """Judge the same cases with other deviations declared, of the layer itself or another one."""
    if by is None:
        implementation = replace(run.subject.implementation, deviations=declared)
        subject = Subject(implementation, run.subject.executor, run.subject.too_large)
    else:
        reference = replace(by, deviations=declared, design=run.subject.implementation.design)
        subject = Subject(reference, LocalExecutor(reference, NUMPY_FORMS))
    other = PropertyRun(run.property, subject, run.budget, until=run.until)
    try:
        with taking_notes():
            other()
    except (ViolationFound, Flaky):
        return True
    except Unsatisfiable:
        return False
    return False
