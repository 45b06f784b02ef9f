"""Which violations a named mistake explains: the mistake itself is judged by them.

The mistake is a layer in NumPy (see ``modelled_layer``). It runs on the counterexample of each
violation, and explains those that it violates with the same number of the same quantity.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.adapters.implementation import Declaration, Implementation
from conformance.diagnosis.approximate import Float64
from conformance.diagnosis.modelled_layer import ModelledForward, ModelledLayer
from conformance.diagnosis.modelled_operations import executor_of
from conformance.diagnosis.record import Diagnosis
from conformance.diagnosis.search import Match, parts_of
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

_RESERVE = 1.5
"""How much more often than the textbook's a correct algorithm may round."""


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
    matches: Sequence[Match],
    declared: Declaration | Implementation,
    verdicts: Iterable[Verdict],
    until: float,
) -> list[Explained]:
    """Judge mistakes by the requirements that an implementation violates.

    Args:
        matches: The mistakes, which are made together, as exactly as a model makes them.
        declared: What the implementation declares.
        verdicts: The violations.
        until: When to stop, in seconds since 1970.

    Returns:
        For each mistake, the violations that all of them explain and that it causes; the first
        has those, too, that none of them causes alone.
    """
    found = [Explained() for _ in matches]
    all_of_them = _Model(matches, declared)
    each = [_Model([match], declared) for match in matches] if len(matches) > 1 else []
    for verdict in verdicts:
        same = None if time.time() > until else all_of_them.violates(verdict)
        if same is None:
            found[0].unchecked.append(verdict.requirement)
        elif same:
            for at in _attribute(each, verdict):
                found[at].explains.append(verdict.requirement)
    return found


def _attribute(each: Sequence[_Model], verdict: Verdict) -> list[int]:
    """Return the places of the mistakes that cause a violation; the first if none does alone."""
    assert verdict.violation is not None, "it is explained"  # noqa: S101
    seen = verdict.violation.finding.label
    alone = [model.finding(verdict) for model in each]
    same = [at for at, found in enumerate(alone) if found is not None and found.label == seen]
    return same or [at for at, found in enumerate(alone) if found is not None] or [0]


class _Model:
    """Mistakes as a layer, in the place of the implementation in which they were found."""

    def __init__(self, matches: Sequence[Match], declared: Declaration | Implementation) -> None:
        parts = parts_of(matches)
        conventions = Conventions(declared.deviations, declared.design)
        self._declared, self._errors = declared, list[Float64]()
        steps = {name: step for part in parts for name, step in part.steps.items()}
        self._is_backward = all(match.alternative.backward for match in matches)
        remembers = any(match.alternative.remembers for match in matches) and "forward" not in steps
        scoped = any(match.scope.id for match in matches)
        self._made = Implementation(
            name=" ".join(match.id for match in matches),
            build=lambda config: ModelledLayer(config, parts, conventions, self._errors),
            forward=None if remembers or scoped else ModelledForward(steps),
        )

    def violates(self, verdict: Verdict) -> bool | None:
        """Return whether the mistakes violate a requirement as the implementation does.

        None if that cannot be said: the model cannot do what the requirement is about, or only the
        differences by which it is differentiated differ.
        """
        found = verdict.violation
        if found is None or not found.values:
            return None
        judged = self._judge(verdict)
        if judged.outcome in {Outcome.UNSUPPORTED, Outcome.ERRORED, Outcome.VACUOUS}:
            return None
        if judged.violation is not None and _alike(judged.violation.finding, found.finding):
            return True
        if "gradient" in found.finding.label:
            return None
        return not self._is_backward and self._amplifies(found.finding)

    def finding(self, verdict: Verdict) -> Finding | None:
        """Return what contradicts a requirement by the inputs of a violation, if anything does."""
        judged = self._judge(verdict)
        return None if judged.violation is None else judged.violation.finding

    def _judge(self, verdict: Verdict) -> Verdict:
        assert verdict.violation is not None, "what is judged is a violation"  # noqa: S101
        self._errors.clear()
        row = REQUIREMENTS[verdict.requirement]
        subject = Subject(self._declared, executor_of(self._made))
        return judge_requirement(row, subject, budget(minimize=False), verdict.violation.values)

    def _amplifies(self, seen: Finding) -> bool:
        """Return whether the mistake makes rounding errors as large as the one that was seen."""
        if not seen.quantity.startswith("y"):
            return False
        if not (isinstance(seen.got, float | int) and isinstance(seen.expected, float | int)):
            return False
        gap = abs(seen.got - seen.expected)
        index = seen.index or ()
        return any(
            error.ndim == len(index)
            and all(place < size for place, size in zip(index, error.shape, strict=True))
            and gap <= _RESERVE * error[index]
            for error in self._errors
        )


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


def suggested_by(named: Iterable[Diagnosis]) -> frozenset[Deviation]:
    """Return the deviations that diagnoses say may be declared."""
    words = {word for each in named for word in re.findall(r"[A-Z][A-Z_]+", each.convention)}
    return frozenset(each for each in Deviation if each.name in words)


def declaring(subject: Subject, deviations: frozenset[Deviation]) -> Subject:
    """Return an implementation as if it declared deviations besides."""
    all_of_them = subject.implementation.deviations | deviations
    return Subject(replace(subject.implementation, deviations=all_of_them), subject.executor)


def try_declaring(
    subject: Subject,
    suggested: frozenset[Deviation],
    verdicts: Iterable[Verdict],
    until: float,
) -> Trial:
    """Judge an implementation again as if it declared deviations, on what it violates.

    Args:
        subject: The implementation.
        suggested: The deviations to declare besides.
        verdicts: The violations.
        until: When to stop, in seconds since 1970.
    """
    declared = declaring(subject, suggested)
    trial = Trial(sorted(each.name for each in suggested), [], [], [])
    for verdict in verdicts:
        if time.time() > until:
            trial.untried.append(verdict.requirement)
        elif _still_violates(declared, verdict):
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


def judge_again(
    subject: Subject, verdicts: Iterable[Verdict], chosen: Mapping[str, Any]
) -> list[Verdict]:
    """Judge what an implementation violates again, to make the counterexamples small.

    Args:
        subject: The implementation.
        verdicts: The violations, as judged.
        chosen: The arguments of the budget by which they were judged.

    Returns:
        Violations on smaller inputs, of those that are violated again.
    """
    again = []
    for verdict in verdicts:
        judged = judge_requirement(REQUIREMENTS[verdict.requirement], subject, budget(**chosen))
        if judged.outcome is Outcome.VIOLATES:
            again.append(
                replace(verdict, violation=judged.violation, detail=judged.detail or verdict.detail)
            )
    return again
