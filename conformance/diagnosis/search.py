"""Searches for the known mistakes that reproduce every observed number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.adapters.calling import ROWS
from conformance.diagnosis.constants import constants
from conformance.diagnosis.deadline import check_time
from conformance.diagnosis.fault_model import Alternative, constant_of
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.matching import Evidence, gather, tally
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.scopes import Part, Scope, scopes
from conformance.numerics.conventions import Conventions

_LETTERS = {"gamma": "γ", "beta": "β"}
"""What mistakes call the arrays that a layer may lack."""

_AFFORDABLE = 2
"""The most that may be assumed beyond a mistake. More assumptions fit anything."""


@dataclass(frozen=True, slots=True)
class Match:
    """An alternative that reproduces everything.

    Attributes:
        alternative: The mistake.
        scope: Where it is made.
        constants: The constants that fit; several if the inputs do not distinguish them.
        explained: How many calls it explains that the truth does not.
    """

    alternative: Alternative
    scope: Scope
    constants: tuple[float, ...]
    explained: int

    @property
    def cost(self) -> int:
        """The number of assumptions beyond the mistake: a scope, a constant, a larger bound."""
        return cost_of(self.alternative, self.scope)

    def part(self) -> Part:
        """The mistake in a model."""
        return Part(self.alternative.steps(self.constants[0]), self.scope)

    @property
    def id(self) -> str:
        """The alternative's id, with the scope after an @."""
        return self.alternative.id + (f"@{self.scope.id}" if self.scope.id else "")


def parts_of(found: Iterable[Match]) -> tuple[Part, ...]:
    """Return mistakes that are made together, in a model."""
    return tuple(match.part() for match in found)


def cost_of(alternative: Alternative, scope: Scope) -> int:
    """Return the number of assumptions beyond a mistake without a constant, made everywhere."""
    return scope.cost + (alternative.parameter is not None) + 2 * alternative.widens


def evidence_of(observations: list[Observation], conventions: Conventions) -> Evidence:
    """Compare all observations with the reference model under the declared conventions."""
    return gather(observations, conventions)


_MOSTLY = 0.8
"""The smallest share of all calls that must return for the others to be ignored."""


def without_raised(evidence: Evidence) -> Evidence:
    """Return the evidence without calls that raised, or empty evidence if they are many.

    A layer may crash where its mistake has other effects; its results elsewhere still count.
    """
    kept = [i for i, o in enumerate(evidence.observations) if not o.raised]
    enough = _MOSTLY * len(evidence.observations) <= len(kept) < len(evidence.observations)
    return evidence.keep(kept if enough else ())


def matches(evidence: Evidence, *, backward: bool = False) -> list[Match]:
    """Return the matches that assume the least; none if nothing deviates from the truth.

    Mistakes in steps that a known mistake replaces are not tried.

    Args:
        evidence: The observations and the predictions of the truth.
        backward: Whether to try alternatives for gradients instead of those for calls.

    Returns:
        Several if they fit equally well, in the order of the registry.
    """
    if not evidence.deviant:
        return []
    where = list(scopes(evidence.observations, set(evidence.deviant)))
    spread = evidence.has_ranks or evidence.conventions.design.layout != ROWS
    lacks = [letter for n, letter in _LETTERS.items() if n in evidence.conventions.design.absent]
    tried = [
        a
        for a in ALTERNATIVES.values()
        if a.backward is backward
        and spread >= a.spread
        and not any(letter in a.sentence for letter in lacks)
    ]
    taken = {name for part in evidence.base for name in part.steps}
    free = [a for a in tried if taken.isdisjoint(a.steps(constant_of(a)))] if taken else tried
    found = [m for alternative in free if (m := _match(evidence, alternative, where))]
    least = min((match.cost for match in found), default=0)
    return [match for match in found if match.cost == least]


def _match(evidence: Evidence, alternative: Alternative, where: Sequence[Scope]) -> Match | None:
    check_time()
    affordable = [s for s in where if cost_of(alternative, s) <= _AFFORDABLE]
    if alternative.remembers and evidence.names is not None:
        return None  # calls of other modes are missing in what it would be replayed on
    if alternative.remembers:
        return _remembering(evidence, alternative, affordable)
    if alternative.parameter is None:
        return _first(evidence, alternative, affordable, (float("nan"),))
    tried = constants(evidence, alternative)
    if not alternative.parameter.threshold:
        found = (_first(evidence, alternative, affordable, (constant,)) for constant in tried)
        return next((match for match in found if match), None)
    return _first(evidence, alternative, affordable, tried)


def _first(
    evidence: Evidence, alternative: Alternative, where: Sequence[Scope], tried: Iterable[float]
) -> Match | None:
    """Return the match in the largest scope; predictions do not depend on the scope."""
    tallies = {constant: tally(evidence, alternative, constant) for constant in tried}
    for scope in where:
        explained = {c: t.explained(scope) for c, t in tallies.items() if t is not None}
        enough = {c: n for c, n in explained.items() if n >= alternative.needs}
        if enough:
            return Match(alternative, scope, tuple(enough), min(enough.values()))
    return None


def _remembering(
    evidence: Evidence, alternative: Alternative, where: Sequence[Scope]
) -> Match | None:
    """Return the match of a mistake that depends on earlier calls, replayed in each scope."""
    for scope in where:
        if scope.cost > 1:
            continue
        tallied = tally(evidence, alternative, float("nan"), scope)
        if tallied is not None and tallied.explained(scope) >= alternative.needs:
            return Match(alternative, scope, (float("nan"),), tallied.explained(scope))
    return None
