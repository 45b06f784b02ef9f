"""Finds the expressions whose values, replaced by right ones, make all results right.

An expression that computes something wrong from what is right, and that repairs every result of
a call, carries the mistake: what comes before it is right, and so is all that comes after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations, islice, product

import numpy as np

from conformance.diagnosis.approximate import Float64
from conformance.diagnosis.lines.candidates import (
    Candidates,
    Kind,
    Repair,
    replacements,
    with_padding_removed,
)
from conformance.diagnosis.lines.expressions import Expression, Place
from conformance.diagnosis.lines.padded_values import PaddedValues
from conformance.diagnosis.lines.parts import MOST_ROWS, statistics_of_parts
from conformance.diagnosis.lines.right_operands import uses_right_values
from conformance.diagnosis.lines.right_values import RightValues
from conformance.diagnosis.lines.steps import Quantities
from conformance.diagnosis.lines.tracing import Results, Traced, repair
from conformance.diagnosis.prediction import error_ratios
from conformance.properties.support.subject import Subject

_MOST = 400
"""Attempts in one call, of each kind and for the whole batch or parts of it."""

_FAR = 4
"""By how many bounds a result must be wrong, for its repair to prove anything."""

_LOCATIONS = frozenset({"batch mean", "mean in use", "x − mean", "old running mean"})
_SCALES = frozenset(
    {
        *(
            "batch variance",
            "√(batch variance)",
            "variance in use",
            "old running variance",
            "v",
            "v + ε",
        ),
        *("√(v+ε)", "1/√(v+ε)", "γ/√(v+ε)"),
    }
)
"""What may be wrong together where wrong statistics are used."""


Repairs = tuple[Repair, ...]
"""Values that are replaced together."""


def find_repairs(
    subject: Subject,
    traced: Traced,
    target: Quantities,
    right: RightValues,
    elsewhere: RightValues,
) -> list[Repairs]:
    """Return the values that make all results of a call right, in the order of preference.

    Those that are computed from right values come first; among them, the first ones.

    Args:
        subject: The implementation.
        traced: The call.
        target: What its results should be.
        right: What is computed on the way.
        elsewhere: Values that are right for something else.
    """
    wrong = wrong_results(target, traced)
    forward = traced.call.gradients is None
    candidates = Candidates(traced, right, elsewhere)
    left: list[tuple[Repair, set[str]]] = []
    tried: list[Repair] = []
    read: list[Repair] = []
    for kind in Kind if forward else (Kind.UNKNOWN, Kind.FORM, Kind.STEP):
        every = [*candidates.of_kind(kind, wrong)]
        groups = ([each for each in every if each.parted is parted] for parted in (False, True))
        tried = [each for group in groups for each in group[:_MOST]]
        results = repair(subject, traced, [{each.number: each.right} for each in tried])
        rest = (wrong_in(target, found) for found in results)
        here = [*zip(tried, rest, strict=False)]
        whole = _whole(here)
        if whole and whole[0][0].clean:
            return whole
        if kind is Kind.READ:
            read = tried
        else:
            left = left or here
    exchanges = chain(_exchanges(read), _exchanges(tried))
    plain = [each for each in left if not each[0].parted]
    merged = [each for each in left if each[0].parted]
    together = [*islice(chain(exchanges, _combinations(plain, wrong)), _MOST)]
    return [*_repairing(subject, traced, target, together), *_whole(plain), *_whole(merged)]


def _whole(left: Sequence[tuple[Repair, set[str]]]) -> list[Repairs]:
    """Return the repairs that leave nothing wrong, those of what uses right values first.

    With a zero, a shift or a term may be undone that is only not accounted for elsewhere.
    """
    whole = [each for each, rest in left if not rest]
    whole.sort(key=lambda each: (not each.clean, each.names == ("0",)))
    return [(each,) for each in whole]


def repairs_as_before(
    subject: Subject,
    traced: Traced,
    target: Quantities,
    values: tuple[RightValues, RightValues],
    before: Traced,
    repairs: Repairs,
) -> Repairs | None:
    """Return the same repairs in another call if they repair it, too; else an empty tuple.

    None if that shows nothing: in this call, a value cannot be told from the right one.

    Args:
        subject: The implementation.
        traced: The call.
        target: What its results should be.
        values: What is right in it, and what is right for something else.
        before: The call of the repairs.
        repairs: The repairs.
    """
    found: list[Repair] = []
    right, other = (each.all for each in values)
    call = traced.call
    for each in repairs:
        same, once = (_evaluations(t, before.expressions[each.at].place) for t in (traced, before))
        turn = len(same) - 1 if each.parted else once.index(each.at)  # of the last part
        if len(same) > len(once):  # there are more parts, and it is wrong for more than one
            return None
        if turn not in range(len(same)):
            if len(repairs) > 1:  # the other mode may need some of them
                continue
            return ()
        expression = traced.expressions[same[turn]]
        known = right if each.clean else {**statistics_of_parts(call), **other, **right}
        many = each.parted and call.call is not None and len(call.call.x) > MOST_ROWS
        if not many and not _uses_right(expression, traced, known):
            return ()
        named = {name: right[name] for name in each.names if name in right}
        padded = with_padding_removed(expression, named) if each.parted else ()
        again = [*islice(chain(padded, replacements(expression, named)), 1)]
        if named and not again:
            return None
        found += (Repair(same[turn], *o, clean=each.clean, parted=each.parted) for o in again)
    return next(_repairing(subject, traced, target, [tuple(found)]), ()) if found else ()


def _uses_right(expression: Expression, traced: Traced, right: Quantities) -> bool:
    return uses_right_values(expression, PaddedValues(right), traced.call, traced.expressions)


def _evaluations(traced: Traced, place: Place) -> list[int]:
    """Return the positions of an expression that is evaluated repeatedly."""
    return [at for at, each in enumerate(traced.expressions) if each.place == place]


def returns_as(target: Quantities, traced: Traced) -> bool:
    """Return whether a call returns what another one should."""
    return "y" in target and not wrong_in({"y": target["y"]}, traced.results or {})


def wrong_results(target: Quantities, traced: Traced) -> set[str]:
    """Return the names of the wrong results of a call; none if they are wrong by too little."""
    if not traced.results or not wrong_in(target, traced.results, _FAR):
        return set()
    return wrong_in(target, traced.results)


def _repairing(
    subject: Subject, traced: Traced, target: Quantities, tried: Sequence[Repairs]
) -> Iterator[Repairs]:
    """Yield those that make all results right."""
    attempts = [{each.number: each.right for each in chosen} for chosen in tried]
    results = repair(subject, traced, attempts)
    for chosen, found in zip(tried, results, strict=False):
        if not wrong_in(target, found):
            yield chosen


def _combinations(left: Sequence[tuple[Repair, set[str]]], wrong: set[str]) -> Iterator[Repairs]:
    """Yield repairs that may make all results right together.

    Args:
        left: Repairs, and the results that are wrong with each.
        wrong: The results that are wrong without any.
    """
    parts = {}
    for name in sorted(wrong):
        good = (each for each, rest in left if name not in rest and rest < wrong)
        parts[name] = next(good, None)
    apart = dict.fromkeys(each for name, each in parts.items() if each and name != "y")
    if all(parts.values()):
        yield tuple(dict.fromkeys([*apart, *filter(None, (parts.get("y"),))]))
    if "y" not in wrong:
        return
    tried = [each for each, _ in left]
    locations, scales = (
        [each for each in tried if not names.isdisjoint(each.names)]
        for names in (_LOCATIONS, _SCALES)
    )
    for one, other in sorted(product(locations, scales), key=lambda pair: pair[0].at + pair[1].at):
        if one.at != other.at:
            yield tuple(dict.fromkeys([*sorted((one, other), key=lambda r: r.at), *apart]))


def _exchanges(steps: Sequence[Repair]) -> Iterator[Repairs]:
    """Yield pairs of steps that have each other's value."""
    for one, other in combinations(steps, 2):
        exchanged = is_same(one.right, other.value) and is_same(other.right, one.value)
        if one.at != other.at and exchanged:
            yield one, other


def is_same(right: Float64, value: Float64) -> bool:
    """Return whether two arrays have the same numbers, but for rounding."""
    return right.size == value.size and np.allclose(right.ravel(), value.ravel(), rtol=1e-5)


def wrong_in(target: Quantities, results: Results, bounds: float = 1) -> set[str]:
    """Return the names of the results that are wrong by more than some bounds."""
    ratios = error_ratios(target, dict(results))
    return {name for name, ratio in ratios.items() if ratio.max(initial=0) > bounds}
