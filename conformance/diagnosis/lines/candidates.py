"""Which values of a call may be wrong, and what takes their place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64
from conformance.diagnosis.lines.expressions import Expression, is_clear, tolerance
from conformance.diagnosis.lines.known_values import KnownValues, is_number
from conformance.diagnosis.lines.padded_values import PaddedValues, without_padding
from conformance.diagnosis.lines.parts import statistics_of_parts
from conformance.diagnosis.lines.right_operands import reads_state, uses_right_values
from conformance.diagnosis.lines.right_values import GIVEN, RightValues
from conformance.diagnosis.lines.steps import Quantities
from conformance.diagnosis.lines.tracing import Traced

_NOISE = 1e-6
"""The rounding of a difference, relative to the largest number that it is computed from."""

_READ = GIVEN | {"batch mean", "batch variance"}
"""Arrays that may be taken for each other."""


_KEPT = _READ | {
    *("mean in use", "variance in use", "√(v+ε)", "1/√(v+ε)", "γ/√(v+ε)", "γ·mean/√(v+ε)"),
    "β − γ·mean/√(v+ε)",
}
"""What layers keep besides the four arrays, for evaluation."""

_OF_BATCH = frozenset(
    {
        *("batch mean", "batch variance", "√(batch variance)", "mean of x²"),
        *("Σ x", "Σ (x − mean)²", "Σ x²"),
    }
)
"""What is computed from parts of a batch."""

_GRADIENTS = frozenset({"dγ", "dβ"})
"""What a backward pass returns in the same way in both modes: a form of another gradient is wrong
in its place."""


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
        parted: Whether some of that is right for parts of the batch.
    """

    at: int
    number: int
    names: tuple[str, ...]
    value: Float64
    right: Float64
    clean: bool
    parted: bool = False


class Candidates:
    """Replacements in one call, in which values are looked up."""

    def __init__(self, traced: Traced, right: RightValues, elsewhere: RightValues) -> None:
        """Collect the known values of a call.

        What is right for something else is used as if it were right: then which one is used is
        wrong. What is computed from parts of a batch may be that of all of them only where it is
        evaluated for the last part, and is not zero, as for a part of one row.

        Args:
            traced: The call.
            right: What is right in it.
            elsewhere: What is right for something else.
        """
        self._traced, self._right = traced, right.all
        anywhere = {**elsewhere.all, **self._right}
        self._here, self._anywhere = KnownValues(self._right), KnownValues(anywhere)
        self._parted = PaddedValues({**statistics_of_parts(traced.call), **anywhere})
        self._last = {each.place: at for at, each in enumerate(traced.expressions)}
        self._steps, self._forms = KnownValues(right.steps), KnownValues(right.forms)

    def of_kind(self, kind: Kind, wrong: set[str]) -> Iterator[Repair]:
        """Yield replacements of what is computed from right values.

        Args:
            kind: Of what to yield.
            wrong: The names of the wrong results.
        """
        names = {name.removeprefix("gradient of ") for name in wrong}
        for at, each in enumerate(self._traced.expressions):
            if each.reaches.isdisjoint(names):
                continue
            if not _is_of_kind(each, kind, self._steps, self._forms):
                continue
            plain = self._uses(each, self._anywhere)
            if plain or (self._last[each.place] == at and self._uses(each, self._parted)):
                clean = plain and self._uses(each, self._here)
                fitting = self._fitting(kind, each) if plain else _OF_BATCH
                given = {n: v for n, v in self._right.items() if n in fitting}
                padded = [] if plain else [*with_padding_removed(each, self._right)]
                for one in [*replacements(each, given), *padded]:
                    repair = Repair(at, *one, clean=clean, parted=not plain)
                    if plain or repair.value.any():
                        yield repair

    def _fitting(self, kind: Kind, expression: Expression) -> Collection[str]:
        """Return the names of what may be right where an expression of a kind is wrong."""
        if kind is Kind.READ:
            return _READ
        if reads_state(expression):
            name = self._anywhere.find(expression.values[0])
            if name is None or is_number(name):
                return _KEPT
        backward = self._traced.call.gradients is not None
        return _GRADIENTS if kind is Kind.FORM and backward else self._right

    def _uses(self, expression: Expression, known: KnownValues) -> bool:
        return uses_right_values(expression, known, self._traced.call, self._traced.expressions)


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


def replacements(expression: Expression, right: Quantities) -> Iterator[_Replacement]:
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


def with_padding_removed(expression: Expression, right: Quantities) -> Iterator[_Replacement]:
    """Yield right values with zeros after them in the place of those with something else there."""
    for value, number in zip(expression.values, expression.numbers, strict=False):
        for name, each in right.items():
            filled = without_padding(value, each)
            if filled is not None and not np.allclose(filled, value):
                yield number, (name,), value, filled


def _differs(value: Float64, right: Float64, rounding: float) -> bool:
    """Return whether a value is not the right one, in whatever shape, by more than rounding."""
    like = value.T if value.shape == right.shape[::-1] else value
    like = like.reshape(right.shape) if like.size == right.size else np.full(right.shape, like)
    clear = is_clear(Approximate(like), Approximate(right))
    return bool((clear & (np.abs(like - right) > rounding)).any())
