"""Findings: one observation that contradicts a requirement.

Standard library only, and JSON values only: findings cross process boundaries.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

RESULT = "a result"
NUMERIC_ARRAY = "a numeric array"
FINITE_NUMBER = "a finite number"
MISSING = "missing"
NO_RESULT = "no result within {limit:g} s"
PROCESS = "the process "
"""Phrases of ``got`` and ``expected`` in reports. Nothing but ``_from_text`` interprets them."""


class FindingKind(Enum):
    """What kind of observation contradicts the requirement."""

    VALUE = "value"
    """A number or an array differs from what is expected."""
    NON_FINITE = "non-finite"
    """NaN or infinity where a finite number is expected."""
    RAISED = "raised"
    """An operation raised an exception."""
    TIMED_OUT = "timed out"
    """An operation did not return within the time limit."""
    LOST = "lost"
    """The worker process died, or was killed because of the memory that it used."""
    MISSING = "missing"
    """The layer has no such array."""
    NOT_ARRAY = "not an array"
    """What was returned cannot be converted to a numeric array."""
    FACT = "fact"
    """A fact, such as a shape, a dtype or an identity, is not as expected."""

    @property
    def ended_worker(self) -> bool:
        """Whether the worker process had to be replaced."""
        return self in {FindingKind.TIMED_OUT, FindingKind.LOST}

    @property
    def without_result(self) -> bool:
        """Whether an operation never returned."""
        return self is FindingKind.RAISED or self.ended_worker

    @property
    def without_array(self) -> bool:
        """Whether there was no numeric array that could have been compared."""
        return self.without_result or self in {FindingKind.MISSING, FindingKind.NOT_ARRAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation that contradicts a requirement.

    Attributes:
        quantity: What was examined; where an operation did not return, that operation.
        got: The number at the worst ``index``, or words.
        expected: The number expected at that index, or words.
        bound: The largest error that a correct implementation can show there.
        ratio: Error ÷ bound; None where no error was measured.
        index: Position of the worst element.
        kind: What kind of observation this is.
        operation: The operation that did not return, without its arguments; else empty.
        step: Number of the step of a program of calls, counted from 1.
        call: Number of the call within a step that makes several, counted from 1.
        action: What the step does, such as ``train(x1)``.
        limit_s: The time limit that was exceeded, in seconds.
    """

    quantity: str
    got: float | str
    expected: float | str
    bound: float | None = None
    ratio: float | None = None
    index: tuple[int, ...] | None = None
    kind: FindingKind = FindingKind.FACT
    operation: str = ""
    step: int | None = None
    call: int | None = None
    action: str = ""
    limit_s: float | None = None

    @property
    def label(self) -> str:
        """The quantity and, in a program of calls, the step after which it was examined."""
        if self.step is None:
            return self.quantity
        call = "" if self.call is None else f" at call {self.call}"
        return f"{self.quantity}, in step {self.step}{call}, {self.action}"

    def sentence(self) -> str:
        """Return the finding in one line."""
        where = f" at {_position(self.index)}" if self.index else ""
        if self.bound is None or self.ratio is None:
            return f"{self.label}: got {self.got}, expected {self.expected}{where}"
        got, expected = _number(self.got), _number(self.expected)
        if got == expected:  # they differ in later digits
            got, expected = _number(self.got, 17), _number(self.expected, 17)
        return (
            f"{self.label}: got {got}, expected {expected} "
            f"± {_number(self.bound, 2)}{where} (error ÷ bound {_number(self.ratio, 2)})"
        )

    def to_json(self, *, internal: bool = False) -> dict[str, Any]:
        """Return the finding as JSON values.

        Args:
            internal: Include the fields that reports render as text only: ``kind`` and
                those after it.
        """
        data = asdict(self) | {"kind": self.kind.value, "index": self.index and list(self.index)}
        for name in ("got", "expected", "bound", "ratio"):
            data[name] = finite_or_text(data[name])
        if internal:
            return data
        return {name: data[name] for name in _PUBLIC} | {"quantity": self.label}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Finding:
        """Return the finding that ``to_json`` wrote."""
        values = dict(data)
        values["index"] = None if data["index"] is None else tuple(data["index"])
        for name in ("bound", "ratio"):
            values[name] = number_from_json(data[name])
        if "kind" not in data:
            return cls(**values | _from_text(values))
        return cls(**values | {"kind": FindingKind(data["kind"])})


_PUBLIC = ("quantity", "got", "expected", "bound", "ratio", "index")
"""The fields of a finding in a report, in order."""

_STEP = re.compile(r"(.*?), in step (\d+)(?: at call (\d+))?, (.*)", re.DOTALL)
_TIMEOUT = re.compile(r"no result within ([0-9.e+]+) s")


def _from_text(values: dict[str, Any]) -> dict[str, Any]:
    """Return the internal fields of a finding in a report, which has only their text."""
    found: dict[str, Any] = {}
    quantity, got = values["quantity"], str(values["got"])
    if match := _STEP.fullmatch(quantity):
        quantity, step, call, action = match.groups()
        found = {"quantity": quantity, "step": int(step), "action": action}
        found["call"] = None if call is None else int(call)
    if values["expected"] != RESULT:
        return found | {"kind": _kind_of_answer(values)}
    found["operation"] = quantity.partition(" with ")[0]
    if timeout := _TIMEOUT.match(got):
        return found | {"kind": FindingKind.TIMED_OUT, "limit_s": float(timeout[1])}
    lost = got.startswith(PROCESS)
    return found | {"kind": FindingKind.LOST if lost else FindingKind.RAISED}


def _kind_of_answer(values: dict[str, Any]) -> FindingKind:
    """Return the kind of a finding on what an operation returned."""
    if values["got"] == MISSING:
        return FindingKind.MISSING
    if values["expected"] == NUMERIC_ARRAY:
        return FindingKind.NOT_ARRAY
    measured = values["bound"] is not None
    if values["expected"] == FINITE_NUMBER or (measured and values["ratio"] is None):
        return FindingKind.NON_FINITE
    return FindingKind.FACT if values["index"] is None else FindingKind.VALUE


def finite_or_text(value: Any) -> Any:
    """Return a JSON value for a number: NaN and infinities become their names."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def number_from_json(value: float | str | None) -> float | None:
    """Return the number that ``finite_or_text`` wrote."""
    return None if value is None else float(value)


def _position(index: tuple[int, ...]) -> str:
    if len(index) == 1:
        return f"feature {index[0]}"
    return f"[{', '.join(map(str, index))}]"


def _number(value: float | str, digits: int = 7) -> str:
    return value if isinstance(value, str) else f"{value:.{digits}g}"
