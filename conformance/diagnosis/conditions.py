"""The first wrong quantity under the condition that a requirement is about, by experiment.

The designed calls have no masks, shards or copies. Where they are all right, the property of a
violated requirement is tried on more cases, and what the wrong ones have in common and the right
ones have not is the condition.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from hypothesis.errors import UnsatisfiedAssumption

from conformance.adapters.operations.executor import ExecutorLost
from conformance.diagnosis.attributes import Attributes, attributes_of, attributes_of_steps
from conformance.engine.budget import budget
from conformance.engine.runner import PropertyRun
from conformance.properties import PROPERTIES
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.notes import taking_notes
from conformance.properties.support.second_order import NotOffered
from conformance.properties.support.subject import Subject
from conformance.requirements.finding import Finding
from conformance.strategies.bytestream import draw_from_bytes, expand_seed
from conformance.strategies.programs import Program

_CASES = 24
"""Cases on which a requirement is tried, those of all its palettes together."""

_OUTSIDE = 4
"""The fewest right cases outside a condition, for it to be named."""

_MOSTLY = 0.7
"""The share of the cases under a condition that must be wrong, for it to be named."""

_SEED = b"the condition of a mistake"


@dataclass(frozen=True, slots=True)
class Trial:
    """A case, or a step of one.

    Attributes:
        attributes: What it is like.
        finding: What is wrong; None if it is right.
        right: The quantities of the case that were compared before, and found right.
    """

    attributes: Attributes
    finding: Finding | None = None
    right: tuple[str, ...] = ()


def run_trials(subject: Subject, requirement: str, until: float) -> list[Trial]:
    """Try the property of a requirement on generated cases; fewer if the time is up.

    Args:
        subject: The implementation.
        requirement: The id of the requirement.
        until: When to stop, in seconds since 1970.
    """
    run = _run_of(subject, requirement)
    found: list[Trial] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for drawn in _draw(run, _CASES):
            if time.time() > until:
                break
            try:
                found += _try(run, drawn)
            except (UnsatisfiedAssumption, NotOffered):
                continue
            except ExecutorLost:
                break
    return found


def draw_cases(subject: Subject, requirement: str, count: int) -> Iterator[dict[str, Any]]:
    """Yield the arguments of the property of a requirement in some cases."""
    return _draw(_run_of(subject, requirement), count)


def _run_of(subject: Subject, requirement: str) -> PropertyRun:
    return PropertyRun(PROPERTIES[requirement], subject, budget("quick", minimize=False))


def _draw(run: PropertyRun, count: int) -> Iterator[dict[str, Any]]:
    """Yield the arguments of cases, of each palette in turn."""
    for number in range(count):
        palette = run.palettes[number % len(run.palettes)]
        yield draw_from_bytes(expand_seed(_SEED, number), run.strategies(palette))


def _try(run: PropertyRun, drawn: dict[str, Any]) -> Iterator[Trial]:
    """Judge one case; a program is as many trials as there are steps up to a wrong one."""
    finding = None
    with taking_notes(inf) as notes:
        try:
            run.claim(drawn)
        except ViolationFound as violation:
            finding = violation.finding
    program = next((each for each in drawn.values() if isinstance(each, Program)), None)
    if program is None:
        yield Trial(attributes_of(drawn), finding, tuple(notes.by_quantity))
        return
    last = len(program.steps) if finding is None else finding.step or 0
    steps = attributes_of_steps(program)[:last]
    yield from (Trial(attributes) for attributes in (steps if finding is None else steps[:-1]))
    if finding is not None and steps:
        yield Trial(steps[-1], finding)


def condition_of(trials: Sequence[Trial]) -> str:
    """Return what wrong trials have in common that right ones have not; empty if nothing is found.

    Args:
        trials: Right and wrong ones.
    """
    wrong = [trial.attributes for trial in trials if trial.finding is not None]
    right = [trial.attributes for trial in trials if trial.finding is None]
    best, words = _MOSTLY, ""
    for name in wrong[0] if wrong else ():
        if any(name not in each for each in (*wrong, *right)):
            continue
        bad, good = ([each[name] for each in some] for some in (wrong, right))
        for described, inside in _ranges(name, bad, good):
            share = len(bad) / (len(bad) + inside)
            if len(good) - inside >= _OUTSIDE and (share > best or (share == best and not words)):
                best, words = share, described
    return f"{'exactly' if best == 1 else 'only'} where {words}" if words else ""


def _ranges(
    name: str, bad: Sequence[float | str], good: Sequence[float | str]
) -> Iterator[tuple[str, int]]:
    """Yield conditions on an attribute that hold for all bad values, and how many good ones meet.

    Args:
        name: The attribute.
        bad: Its values in wrong trials.
        good: Its values in right ones.
    """
    if all(isinstance(value, str) for value in (*bad, *good)):
        if len(set(bad)) == 1:
            yield str(bad[0]), good.count(bad[0])
        return
    numbers, others = [float(each) for each in bad], [float(each) for each in good]
    low, high = min(numbers), max(numbers)
    if low == high:
        yield f"{name} = {low:g}", others.count(low)
    below = [each for each in others if each < low]
    yield f"{name} ≥ {low:.4g}{_right_up_to(below, max)}", len(others) - len(below)
    above = [each for each in others if each > high]
    yield f"{name} ≤ {high:.4g}{_right_up_to(above, min)}", len(others) - len(above)


def _right_up_to(values: Sequence[float], nearest: Any) -> str:
    return f" (right at {nearest(values):.4g})" if values else ""
