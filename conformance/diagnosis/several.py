"""Finds several mistakes in one layer, each in another step of the computation.

The state before each call is known, so running mean, running variance and y can be looked at one
by one and mode by mode: what a mistake in the update does to them does not depend on one in the
normalization. A mistake that reproduces one quantity is a candidate; with it in the model, the
others are sought again. Whatever is named must in the end reproduce every number of every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

from conformance.adapters.protocols import STATISTICS
from conformance.diagnosis.deadline import check_time
from conformance.diagnosis.matching import Evidence, gather
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.prediction import Predictor, Quantities, agrees, error_ratios
from conformance.diagnosis.scopes import EVERYWHERE, MODES, Part
from conformance.diagnosis.search import Match, matches, parts_of

_PER_QUANTITY = 3
"""Candidates for one quantity; more of them are not told apart by it."""

_BASES = 6
"""Candidates with which the other mistakes are sought."""

_MOST = 3
"""Mistakes in one layer; more of them could be taken for anything."""

_ENOUGH = 4
"""Calls in which a part of an answer must explain a quantity."""


@dataclass(frozen=True, slots=True)
class Combination:
    """Mistakes that are made together.

    Attributes:
        matches: The mistakes.
        complete: They reproduce every number of every call.
    """

    matches: tuple[Match, ...] = ()
    complete: bool = False


def find_several(evidence: Evidence, *, backward: bool = False) -> Combination:
    """Return the mistakes that a layer makes together, or those that explain a part of it.

    Args:
        evidence: The observed calls, of which no single mistake reproduces every number.
        backward: Whether they are gradients.
    """
    candidates = _candidates(evidence, backward=backward)
    found = _verified(evidence, candidates)
    found = found or _completed(evidence, candidates, backward=backward)
    if found:
        return Combination(found, complete=True)
    sure = (
        match
        for match in candidates
        if match.cost < 2 and match.explained >= _ENOUGH and _spoils_nothing(evidence, match)
    )
    return Combination(tuple(islice(sure, 1)))


def _candidates(evidence: Evidence, *, backward: bool) -> list[Match]:
    """Return mistakes that reproduce all numbers of one quantity in one mode.

    Where none reproduces y, those count that reproduce it under a condition, such as γ = 1, under
    which another mistake may not show.
    """
    found: dict[str, Match] = {}
    columns = _columns(evidence)
    for place in columns:
        column = _column(evidence, *place)
        fitting = _fitting(column, backward=backward)
        if not fitting and place == next((p for p in columns if p[1] == "y"), None):
            narrowed = (_narrowed(column, holds) for holds in _CONDITIONS)
            fitting = [m for each in narrowed for m in _fitting(each, backward=backward)]
        for match in (*fitting, *_in_one_mode(fitting, *place)):
            found.setdefault(match.id, match)
    return list(found.values())


def _in_one_mode(fitting: Iterable[Match], mode: str, name: str) -> Iterator[Match]:
    """Yield mistakes of one mode, which reproduce what a column of that mode cannot tell apart."""
    if name not in STATISTICS and mode in MODES:
        for match in fitting:
            if match.scope is EVERYWHERE:
                yield replace(match, scope=MODES[mode])


def _fitting(column: Evidence, *, backward: bool) -> list[Match]:
    """Return the mistakes that reproduce a column, unless too many do."""
    fitting = matches(column, backward=backward)
    return fitting[:_PER_QUANTITY] if len(fitting) <= 2 * _PER_QUANTITY else []


Condition = Callable[[Observation], bool]


def _is_neutral(observation: Observation) -> bool:
    state = observation.before
    return state is not None and bool((state.gamma == 1).all() and (state.beta == 0).all())


_CONDITIONS: tuple[Condition, ...] = (
    _is_neutral,
    lambda o: o.config.features == 1,
    lambda o: o.config.features <= 128,
    lambda o: o.config.eps < 1e-6,
    lambda o: o.call is not None and o.call.x.shape[0] <= 16,
)
"""Conditions under which some mistakes do not show, so that another one is seen alone."""


def _columns(evidence: Evidence) -> list[tuple[str, str]]:
    """Return the modes and quantities that contradict the model."""
    found: dict[tuple[str, str], int] = {}
    for index in evidence.deviant:
        observation, truth = evidence.observations[index], evidence.truth[index]
        if truth is None or observation.raised:
            continue
        for name, ratio in error_ratios(truth, evidence.seen[index]).items():
            if (ratio > 1).any():
                key = (mode_of(observation), name)
                found[key] = found.get(key, 0) + 1
    return sorted(found)


def mode_of(observation: Observation) -> str:
    """Return the mode of a call: "fresh" for a layer that was only built, or "forward"."""
    call = observation.call
    if call is None:
        return "fresh"
    if observation.before is None:
        return "forward"
    return "training" if call.training else "evaluation"


def _column(evidence: Evidence, mode: str, name: str) -> Evidence:
    """Return what was observed of one quantity in one mode.

    Of the calls that contradict the model, those come first that meet most conditions.
    """
    kept = [
        index
        for index, o in enumerate(evidence.observations)
        if mode_of(o) == mode and not o.raised and evidence.truth[index] is not None
    ]
    names = frozenset({name})
    truth = [_only(evidence.truth[index], name) for index in kept]
    seen = [_only(evidence.seen[index], name) or {} for index in kept]
    deviant = [at for at in range(len(kept)) if not agrees(truth[at], seen[at], "")]
    observations = [evidence.observations[index] for index in kept]
    deviant.sort(key=lambda at: -sum(holds(observations[at]) for holds in _CONDITIONS))
    made = Evidence(observations, seen, truth, deviant, evidence.conventions)
    return replace(made, base=evidence.base, names=names)


def _narrowed(column: Evidence, holds: Condition) -> Evidence:
    """Return the calls of a column for which a condition holds."""
    return column.keep([at for at, each in enumerate(column.observations) if holds(each)])


def _only(quantities: Quantities | None, name: str) -> Quantities | None:
    if quantities is None:
        return None
    return {name: quantities[name]} if name in quantities else {}


def _verified(evidence: Evidence, candidates: Sequence[Match]) -> tuple[Match, ...]:
    """Return candidates that reproduce everything together; those that assume least."""
    for size in range(2, _MOST + 1):
        for chosen in _combine(candidates, size):
            if _reproduces(evidence, chosen):
                return chosen
    return ()


def _completed(
    evidence: Evidence, candidates: Sequence[Match], *, backward: bool
) -> tuple[Match, ...]:
    """Return candidates and one more mistake that reproduce everything together.

    One that claims less than the model could make any candidate agree.
    """
    for size in range(1, _MOST):
        for chosen in _combine(candidates, size)[:_BASES]:
            rest = gather(evidence.observations, evidence.conventions, parts_of(chosen))
            more = (m for m in matches(rest, backward=backward) if not m.alternative.widens)
            fitting = [m for m in more if _compatible((*chosen, m))]
            if fitting:
                found = (*chosen, fitting[0])
                return _verified(evidence, found) or found
    return ()


def _combine(candidates: Sequence[Match], size: int) -> list[tuple[Match, ...]]:
    """Return combinations of mistakes in different steps, those that assume least first."""
    found = [chosen for chosen in combinations(candidates, size) if _compatible(chosen)]
    return sorted(found, key=_assumes)


def _assumes(chosen: tuple[Match, ...]) -> tuple[int, int]:
    """Return what a combination assumes: costs, and the number of replaced steps."""
    return sum(match.cost for match in chosen), sum(len(match.part().steps) for match in chosen)


def _spoils_nothing(evidence: Evidence, match: Match) -> bool:
    """Whether whatever is right without a mistake is right with it, too."""
    for index, predicted in _predict(evidence, (match.part(),)):
        truth, seen = evidence.truth[index], evidence.seen[index]
        if truth is None or predicted is None or evidence.observations[index].raised:
            continue
        before, after = error_ratios(truth, seen), error_ratios(predicted, seen)
        right = [name for name, ratio in before.items() if (ratio <= 1).all()]
        if any(name not in after or (after[name] > 1).any() for name in right):
            return False
    return True


def _compatible(chosen: tuple[Match, ...]) -> bool:
    """Whether mistakes are made in different steps, and none in a mode that another misreads."""
    names = [name for match in chosen for name in match.part().steps]
    apart = len(names) == len(set(names))
    return apart and not ("evaluates" in names and any(match.scope.id for match in chosen))


def _reproduces(evidence: Evidence, chosen: tuple[Match, ...]) -> bool:
    """Whether mistakes together reproduce every number, the worst calls first."""
    check_time()
    predicted = _predict(evidence, parts_of(chosen))
    return all(
        agrees(quantities, evidence.seen[index], evidence.observations[index].raised)
        for index, quantities in predicted
    )


def _predict(
    evidence: Evidence, parts: tuple[Part, ...]
) -> Iterator[tuple[int, Quantities | None]]:
    predictor = Predictor(parts, evidence.conventions)
    others = set(range(len(evidence.observations))).difference(evidence.deviant)
    for index in (*evidence.deviant, *sorted(others)):
        yield index, predictor.one(evidence.observations[index])
