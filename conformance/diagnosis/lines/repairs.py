"""Finds the expressions whose values, replaced by right ones, make all results right.

An expression that computes something wrong from what is right, and that repairs every result of
a call, carries the mistake: what comes before it is right, and so is all that comes after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain, combinations, islice, product

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64
from conformance.diagnosis.lines.expressions import Expression, Place, is_clear, tolerance
from conformance.diagnosis.lines.known_values import KnownValues
from conformance.diagnosis.lines.right_operands import uses_right_values
from conformance.diagnosis.lines.right_values import GIVEN, RightValues
from conformance.diagnosis.lines.steps import Quantities
from conformance.diagnosis.lines.tracing import Results, Traced, repair
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.prediction import error_ratios
from conformance.properties.support.subject import Subject

_MOST = 400
"""Attempts in one call."""

_NOISE = 1e-6
"""The rounding of a difference, relative to the largest number that it is computed from."""

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


_READ = GIVEN | {"batch mean", "batch variance"}
"""Arrays that may be taken for each other."""


_GRADIENTS = frozenset({"dx", "dγ", "dβ"})
"""What a backward pass returns; a form of another one may be returned in its place."""


class Kind(Enum):
    """What an expression computes that may be wrong, in the order in which it is tried."""

    READ = "what is read, or passed on, instead of another array"
    UNKNOWN = "what no correct layer computes"
    FORM = "what some correct layers compute: it may need to be completed"
    STEP = "what all correct layers compute, but not there"


@dataclass(frozen=True, slots=True, eq=False)
class Repair:
    """A value and what it should be.

    Attributes:
        at: The position of the expression that computes it.
        number: The number of the value.
        names: The quantities that it should be; they have equal values in the call.
        value: What it is.
        right: What it should be.
        clean: Whether all that it is computed from is right in this call.
    """

    at: int
    number: int
    names: tuple[str, ...]
    value: Float64
    right: Float64
    clean: bool


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
    left: list[tuple[Repair, set[str]]] = []
    tried: list[Repair] = []
    for kind in Kind if forward else (Kind.UNKNOWN, Kind.FORM):
        tried = [*islice(_candidates(traced, right, elsewhere, wrong, kind), _MOST)]
        results = repair(subject, traced, [{each.number: each.right} for each in tried])
        rest = (_wrong_in(target, found) for found in results)
        here = [*zip(tried, rest, strict=False)]
        whole = _whole(here)
        if whole and whole[0][0].clean:
            return whole
        left = left or (here if kind is not Kind.READ else [])
    exchanges = _exchanges(tried) if forward else ()
    together = [*islice(chain(exchanges, _combinations(left, wrong)), _MOST)]
    return [*_repairing(subject, traced, target, together), *_whole(left)]


def _whole(left: Sequence[tuple[Repair, set[str]]]) -> list[Repairs]:
    """Return the repairs that leave nothing wrong, those of what uses right values first."""
    whole = [each for each, rest in left if not rest]
    return [(each,) for each in sorted(whole, key=lambda each: not each.clean)]


def repairs_as_before(
    subject: Subject,
    traced: Traced,
    target: Quantities,
    values: tuple[RightValues, RightValues],
    before: Traced,
    repairs: Repairs,
) -> Repairs:
    """Return the same repairs in another call, if they repair it, too; those that change a value.

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
    for each in repairs:
        same = _evaluations(traced, before.expressions[each.at].place)
        turn = _evaluations(before, before.expressions[each.at].place).index(each.at)
        if turn >= len(same):
            return ()
        expression = traced.expressions[same[turn]]
        if not _uses_right(expression, traced, right if each.clean else {**other, **right}):
            return ()
        named = {name: right[name] for name in each.names if name in right}
        again = _replacements(expression, named)
        found += (Repair(same[turn], *one, clean=each.clean) for one in islice(again, 1))
    return next(_repairing(subject, traced, target, [tuple(found)]), ()) if found else ()


def _uses_right(expression: Expression, traced: Traced, right: Quantities) -> bool:
    return uses_right_values(expression, KnownValues(right), traced.call, traced.expressions)


def _evaluations(traced: Traced, place: Place) -> list[int]:
    """Return the positions of an expression that is evaluated repeatedly."""
    return [at for at, each in enumerate(traced.expressions) if each.place == place]


def returns_as(target: Quantities, traced: Traced) -> bool:
    """Return whether a call returns what another one should."""
    return "y" in target and not _wrong_in({"y": target["y"]}, traced.results or {})


def wrong_results(target: Quantities, traced: Traced) -> set[str]:
    """Return the names of the wrong results of a call; none if they are wrong by too little."""
    if not traced.results or not _wrong_in(target, traced.results, _FAR):
        return set()
    return _wrong_in(target, traced.results)


def _repairing(
    subject: Subject, traced: Traced, target: Quantities, tried: Sequence[Repairs]
) -> Iterator[Repairs]:
    """Yield those that make all results right."""
    attempts = [{each.number: each.right for each in chosen} for chosen in tried]
    results = repair(subject, traced, attempts)
    for chosen, found in zip(tried, results, strict=False):
        if not _wrong_in(target, found):
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
        exchanged = _is_same(one.right, other.value) and _is_same(other.right, one.value)
        if one.at != other.at and exchanged:
            yield one, other


def _is_same(right: Float64, value: Float64) -> bool:
    return right.size == value.size and np.allclose(right.ravel(), value.ravel(), rtol=1e-5)


def _candidates(
    traced: Traced, right: RightValues, elsewhere: RightValues, wrong: set[str], kind: Kind
) -> Iterator[Repair]:
    """Yield replacements of what is computed from right values.

    What is right for something else is used as if it were right: then which one is used is wrong.

    Args:
        traced: The call.
        right: What is right in it.
        elsewhere: What is right for something else.
        wrong: The names of the wrong results.
        kind: Of what to yield.
    """
    every = right.all
    here, anywhere = KnownValues(every), KnownValues({**elsewhere.all, **every})
    steps, forms = KnownValues(right.steps), KnownValues(right.forms)
    names = {name.removeprefix("gradient of ") for name in wrong}
    call, expressions = traced.call, traced.expressions
    for at, each in enumerate(expressions):
        if each.reaches.isdisjoint(names):
            continue
        if not _is_of_kind(each, kind, steps, forms):
            continue
        if uses_right_values(each, anywhere, call, expressions):
            clean = uses_right_values(each, here, call, expressions)
            given = {n: v for n, v in every.items() if n in _fitting(kind, call, every)}
            yield from (Repair(at, *one, clean=clean) for one in _replacements(each, given))


def _fitting(kind: Kind, call: Observation, every: Quantities) -> Collection[str]:
    """Return the names of what may be right where an expression of a kind is wrong."""
    if kind is Kind.READ:
        return _READ
    return _GRADIENTS if kind is Kind.FORM and call.gradients is not None else every


def _is_of_kind(expression: Expression, kind: Kind, steps: KnownValues, forms: KnownValues) -> bool:
    if kind is Kind.READ:
        return all(_is_read(value, expression, steps) for value in expression.values)
    unknown = [value for value in expression.values if not _is_step(value, expression, steps)]
    if kind is Kind.STEP:
        return not unknown and _computes(expression, steps)
    usual = kind is Kind.FORM
    return not all((forms.find(value) is None) is usual for value in unknown)


def _is_read(value: Float64, expression: Expression, steps: KnownValues) -> bool:
    """Return whether a value is an array that others can be taken for, and is only passed on."""
    return steps.find(value) in _READ and _keeps(expression, value)


def _keeps(expression: Expression, value: Float64) -> bool:
    kept = (np.array_equal(value.ravel(), each.ravel()) for each in expression.operands)
    return any(kept) or not expression.operands


def _is_step(value: Float64, expression: Expression, steps: KnownValues) -> bool:
    """Return whether a value is a step of the model; what is given is not computed from others."""
    name = steps.find(value)
    return name is not None and (name not in GIVEN or _keeps(expression, value))


def _computes(expression: Expression, steps: KnownValues) -> bool:
    """Return whether an expression computes steps, rather than reading what is given."""
    names = {steps.find(value) for value in expression.values}
    return bool(expression.operands) and names.isdisjoint(GIVEN)


_Replacement = tuple[int, tuple[str, ...], Float64, Float64]
"""The number of a value, the names of the right one, and both."""


def _replacements(expression: Expression, right: Quantities) -> Iterator[_Replacement]:
    """Yield right values in the place of those of an expression, each once."""
    rounding = _NOISE * max((np.abs(o).max(initial=0) for o in expression.operands), default=0)
    for value, number in zip(expression.values, expression.numbers, strict=False):
        names: dict[bytes, list[str]] = {}
        found: dict[bytes, Float64] = {}
        for name, each in right.items():
            fits = each.value.size == value.size or (each.value.ndim == 1 and value.size == 1)
            least = rounding if "−" in name else 0.0
            if fits and tolerance(each) is not None and _differs(value, each.value, least):
                key = each.value.tobytes()
                names.setdefault(key, []).append(name)
                found.setdefault(key, each.value)
        for key, shaped in found.items():
            turned = value.shape != shaped.shape and value.shape == shaped.shape[::-1]
            yield number, tuple(names[key]), value, shaped.T if turned else shaped


def _differs(value: Float64, right: Float64, rounding: float) -> bool:
    """Return whether a value is not the right one, in whatever shape, by more than rounding."""
    like = value.T if value.shape == right.shape[::-1] else value
    like = like.reshape(right.shape) if like.size == right.size else np.full(right.shape, like)
    clear = is_clear(Approximate(like), Approximate(right))
    return bool((clear & (np.abs(like - right) > rounding)).any())


def _wrong_in(target: Quantities, results: Results, bounds: float = 1) -> set[str]:
    """Return the names of the results that are wrong by more than some bounds."""
    ratios = error_ratios(target, dict(results))
    return {name for name, ratio in ratios.items() if ratio.max(initial=0) > bounds}
