"""Which violations a named mistake explains: the mistake itself is judged by them.

The mistake is a layer in NumPy (see ``modelled_layer``). It runs on the counterexample of each
violation, and explains those that it violates with the same number of the same quantity.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Declaration, Implementation
from conformance.adapters.operations.executor import Executor
from conformance.diagnosis.modelled_layer import ModelledForward, ModelledLayer
from conformance.diagnosis.search import Match
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.numerics.conventions import Conventions
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.deviations import Deviation
from conformance.requirements.finding import Finding
from conformance.requirements.verdict import Outcome, Verdict

_FEW = 5
"""Cases per requirement on which a declaration is tried, besides the counterexample."""

_NEAR = 0.01
"""The largest relative difference of two errors that are the same."""


@dataclass(slots=True)
class Explained:
    """What became of each violation: ids of requirements.

    Attributes:
        explains: The mistake violates them in the same way.
        unchecked: A layer in NumPy cannot be judged by them, or the time was up.
    """

    explains: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def verify(
    match: Match, declared: Declaration | Implementation, verdicts: Iterable[Verdict], until: float
) -> Explained:
    """Judge a mistake by the requirements that an implementation violates.

    Args:
        match: The mistake, where it is made and with which constant.
        declared: What the implementation declares.
        verdicts: The violations.
        until: When to stop, in seconds since 1970.
    """
    found = Explained()
    model = _model_of(match, declared)
    for verdict in verdicts:
        same = None if model is None or time.time() > until else _same(model, verdict)
        if same is None:
            found.unchecked.append(verdict.requirement)
        elif same:
            found.explains.append(verdict.requirement)
    return found


def _model_of(match: Match, declared: Declaration | Implementation) -> Implementation | None:
    """Return the mistake as a layer; None if it cannot be one."""
    alternative = match.alternative
    if alternative.backward or alternative.widens:
        return None
    steps = alternative.steps(match.constants[0])
    conventions = Conventions(declared.deviations, declared.design)
    remembers = alternative.remembers and "forward" not in steps
    try:
        return Implementation(
            name=match.id,
            build=lambda config: ModelledLayer(config, steps, match.scope, conventions),
            forward=None if remembers or match.scope.id else ModelledForward(steps),
            deviations=declared.deviations,
        )
    except AdapterError:  # a declaration that only gradients could verify
        return None


def _same(model: Implementation, verdict: Verdict) -> bool | None:
    """Return whether a model violates a requirement as the implementation does.

    None if it cannot be judged by that requirement.
    """
    found = verdict.violation
    if found is None or not found.values:
        return None
    row = REQUIREMENTS[verdict.requirement]
    judged = judge_requirement(row, Subject(model), budget(minimize=False), found.values)
    if judged.outcome in {Outcome.UNSUPPORTED, Outcome.ERRORED, Outcome.VACUOUS}:
        return None
    return judged.violation is not None and _alike(judged.violation.finding, found.finding)


def _alike(model: Finding, seen: Finding) -> bool:
    """Return whether two findings are the same number of the same quantity."""
    if (model.label, model.kind) != (seen.label, seen.kind):
        return False
    if model.ratio is None or seen.ratio is None or not math.isfinite(seen.ratio):
        return str(model.got) == str(seen.got)
    return abs(model.ratio - seen.ratio) <= _NEAR * seen.ratio + 2


@dataclass(frozen=True, slots=True)
class Trial:
    """What declaring deviations changes: ids of requirements.

    Attributes:
        names: The deviations.
        solved: Those that are violated no more.
        remaining: Those that are still violated.
        untried: Those for which there was no time.
    """

    names: list[str]
    solved: list[str]
    remaining: list[str]
    untried: list[str]

    @property
    def effective(self) -> bool:
        """Whether the declaration makes any violation disappear."""
        return bool(self.solved)

    def to_json(self) -> dict[str, Any]:
        """Return what reports have of it."""
        tried = len(self.solved) + len(self.remaining)
        return {"names": self.names, "tried": tried, "remaining": self.remaining}


def try_declaring(
    declared: Declaration,
    executor: Executor,
    suggested: frozenset[Deviation],
    verdicts: Iterable[Verdict],
    until: float,
) -> Trial:
    """Judge an implementation again as if it declared deviations, on what it violates.

    Args:
        declared: What it declares.
        executor: What executes its operations.
        suggested: The deviations to declare besides.
        verdicts: The violations.
        until: When to stop, in seconds since 1970.
    """
    subject = Subject(replace(declared, deviations=declared.deviations | suggested), executor)
    trial = Trial(sorted(each.name for each in suggested), [], [], [])
    for verdict in verdicts:
        if time.time() > until:
            trial.untried.append(verdict.requirement)
        elif _still_violates(subject, verdict):
            trial.remaining.append(verdict.requirement)
        else:
            trial.solved.append(verdict.requirement)
    return trial


def _still_violates(subject: Subject, verdict: Verdict) -> bool:
    row, found = REQUIREMENTS[verdict.requirement], verdict.violation
    few = budget(max_examples=_FEW, minimize=False)
    if found is not None and found.values:
        again = judge_requirement(row, subject, few, found.values)
        if again.outcome.bad:
            return True
    return judge_requirement(row, subject, few).outcome.bad
