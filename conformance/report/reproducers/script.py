"""A script under construction: literals, steps, and the failed comparison.

A recipe follows the claim of its requirement step by step, and requests every comparison that
the claim makes. The failed one ends the recipe; the others are not written, so that a script
is as short as the way to its violation.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from conformance.numerics.bounds import Bound
from conformance.report.reproducers.construction_spec import Blueprint
from conformance.report.reproducers.literals import written
from conformance.requirements.finding import Finding, FindingKind


class NoScript(Exception):
    """There is no script for a counterexample; the message says why."""


class Complete(Exception):
    """The failed comparison is written; the rest of the claim does not matter."""


class Script:
    """What a recipe writes to.

    Attributes:
        finding: The finding.
        quantity: The quantity of the finding.
        blueprint: How the implementation is constructed.
        given: The literals by name.
        lines: The steps.
        kind: How ``got`` and ``expected`` are compared; empty until a comparison is written.
        got: The text of the observed value.
        expected: The text of the expected value.
        allowed: The bound of the comparison.
    """

    def __init__(self, finding: Finding, blueprint: Blueprint, occurrence: int = 0) -> None:
        self.finding = finding
        self.quantity = finding.quantity
        self.blueprint = blueprint
        self.given: dict[str, str] = {}
        self.lines: list[str] = []
        self.kind = ""
        self.got = self.expected = ""
        self.allowed = finding.bound
        self._remaining = occurrence

    @property
    def raised(self) -> bool:
        """Whether the finding is an exception, or a result that is not an array."""
        return self.finding.kind.without_array

    @property
    def _any_finite(self) -> bool:
        """Whether any finite number would have been accepted, instead of a particular one."""
        number = isinstance(self.finding.expected, float)
        return self.finding.kind is FindingKind.NON_FINITE and not number

    def let(self, name: str, value: Any) -> str:
        """Write a literal under a name that is not taken, and return the name."""
        text = written(value)
        number = 1
        chosen = name
        while self.given.setdefault(chosen, text) != text:
            number += 1
            chosen = f"{name}_{number}"
        return chosen

    def __call__(self, *lines: str) -> None:
        """Write steps."""
        if self.finding.kind is FindingKind.NOT_ARRAY:  # the finding is a result of another kind
            lines = tuple(re.sub(r"\bnp\.array\(", "numbers(", line) for line in lines)
        self.lines += lines

    def asks(self, quantity: str) -> bool:
        """Whether a comparison of this quantity is the one that failed."""
        if self.raised or quantity != self.quantity:
            return False
        self._remaining -= 1
        return self._remaining < 0

    def within(self, quantity: str, got: str, expected: str, bound: Bound | None = None) -> None:
        """Compare numbers with the expected ones, within the bound of the finding.

        Args:
            quantity: The name of the quantity.
            got: The text of the observed numbers.
            expected: The text of the expected numbers.
            bound: The bound of a correct layer in this comparison, where a claim repeats it, or
                where it depends on earlier results of the faulty layer.
        """
        self.numeric(quantity, got)
        self._same_form(quantity, got, expected)
        if not self.asks(quantity):
            return
        if self._any_finite or self.finding.bound is None:
            self._complete("finite", got, "")
        elif bound is not None:
            self._allow(bound, self.finding.bound)
        self._complete("within", got, expected)

    def numeric(self, quantity: str, got: str) -> None:
        """Require an array of numbers, where the finding is that there is none."""
        absent = self.finding.kind in {FindingKind.MISSING, FindingKind.NOT_ARRAY}
        if absent and quantity == self.quantity:
            self._complete("raises", f"numbers({got})", "None")

    def finite(self, quantity: str, got: str) -> None:
        """Require finite numbers."""
        if self._any_finite and self.asks(quantity):
            self._complete("finite", got, "")

    def nan(self, quantity: str, got: str) -> None:
        """Require NaN."""
        if self.asks(quantity):
            self._complete("nan", got, "")

    def identical(self, quantity: str, got: str, expected: str) -> None:
        """Compare arrays bit by bit, NaN equal to NaN."""
        self.numeric(quantity, got)
        self._same_form(quantity, got, expected)
        self.same(f"dtype of {quantity}", f"str({got}.dtype)", f"str({expected}.dtype)")
        if self.asks(quantity):
            self._complete("identical", got, expected)

    def same(self, quantity: str, got: str, expected: str) -> None:
        """Compare plain values."""
        if self.asks(quantity):
            self._complete("same", got, expected)

    def holds(self, quantity: str, fact: str) -> None:
        """Require a fact."""
        if self.asks(quantity):
            self._complete("fact", fact, "True")

    def kept(self, before: str, layer: str, names: tuple[str, ...], of: str = "") -> None:
        """Compare arrays of a layer with those that were read before.

        Args:
            before: The variable of the state that was read.
            layer: The variable of the layer.
            names: The names of the arrays.
            of: A suffix of the quantities.
        """
        for name in names:
            got = f'read({layer})["{name}"]'
            self.identical(f"{name}{of}", got, f'{before}["{name}"]')

    def _allow(self, bound: Bound, found: float) -> None:
        """Use the bound of a correct layer here: the declared reading if the finding has it."""
        index = self.finding.index or ()
        if not _fits(index, np.shape(bound.allowed)):
            return
        readings = float(bound.allowed[index]), float(bound.strict[index])
        self.allowed = min(readings, key=lambda each: abs(np.log(each / found)))

    def _same_form(self, quantity: str, got: str, expected: str) -> None:
        self.same(f"shape of {quantity}", f"np.shape({got})", f"np.shape({expected})")

    def _complete(self, kind: str, got: str, expected: str) -> None:
        self.kind, self.got, self.expected = kind, got, expected
        raise Complete


def _fits(index: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return len(index) == len(shape) and all(i < n for i, n in zip(index, shape, strict=True))
