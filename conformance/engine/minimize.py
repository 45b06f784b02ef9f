"""Makes the failure of a property run small.

A smaller shape that fails needs other values, so a failure on one is searched for rather than
shrunk to. The bytes of the failure are shrunk then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis.errors import Flaky, UnsatisfiedAssumption

from conformance.engine.case_run import Failure
from conformance.engine.runner import PropertyRun
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.declared_cases import by_design
from conformance.requirements.verdict import Violation
from conformance.strategies import shape_grid
from conformance.strategies.bytestream import draw_from_bytes
from conformance.strategies.case import literals
from conformance.strategies.codec import make_violation
from conformance.strategies.shrinking import Attempt, shrink

_ATTEMPTS = 250
"""Executions that may go into a smaller counterexample; fewer where each costs much."""

_SMALL = tuple(entry for entry in shape_grid.DEFAULT if entry.rows * entry.features <= 9)
"""Where a counterexample is searched for first; every kind of shape that a strategy needs is
among them."""


def minimize(run: PropertyRun, failure: Failure) -> Violation:
    """Return a small violation: among the smallest shapes if it occurs there.

    Args:
        run: The run that failed. The cases rejected here are counted in it.
        failure: Its failure.

    Returns:
        The violation of the smallest case found; flaky if the case does not fail again.
    """
    failure = _search_small_shapes(run) or failure
    violations: list[Violation] = []
    strategies = run.strategies(failure.palette)

    def attempt(raw: bytes) -> Attempt:
        drawn = by_design(draw_from_bytes(raw, strategies), run.subject.conventions)
        inputs = literals(drawn)

        def violates() -> bool:
            found = _violation_of(run, drawn, inputs)
            violations.extend([found] if found else [])
            return found is not None

        return Attempt(repr(inputs), violates)

    attempts = round(_ATTEMPTS * min(1.0, 4 * run.property.share))
    if shrink(failure.raw, attempt, attempts) is None:
        return replace(failure.violation, flaky=True)
    return violations[-1]  # that of the smallest bytes


def _search_small_shapes(run: PropertyRun) -> Failure | None:
    """Return a failure of the same property on a small shape, if there is one."""
    search = PropertyRun(run.property, run.subject, run.budget, palettes=(_SMALL,))
    try:
        search()
    except (ViolationFound, Flaky):
        return search.failure
    finally:
        run.rejected += search.rejected
    return None


def _violation_of(
    run: PropertyRun, drawn: dict[str, Any], inputs: dict[str, Any]
) -> Violation | None:
    try:
        run.claim(drawn)
    except UnsatisfiedAssumption:
        return None  # a declared deviation excludes the case
    except ViolationFound as found:
        return make_violation(run.property.requirement.id, found.finding, drawn, inputs)
    return None
