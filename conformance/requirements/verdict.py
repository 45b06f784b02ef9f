"""Verdicts: what the suite found out about one requirement and one implementation.

Standard library only, and only JSON values inside: verdicts cross process borders.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

RESULT = "a result"
"""What is expected where a call raised, hung or ended its process instead."""


def without_arguments(operation: str) -> str:
    """Return "the call" of "the call with use_running_average=True"."""
    return operation.partition(" with ")[0]


class Outcome(Enum):
    """How judging one requirement ended."""

    CONFORMS = "conforms"
    VIOLATES = "violates"
    DEVIATES = "deviates"
    WAIVED = "waived"
    UNSUPPORTED = "unsupported"
    VACUOUS = "vacuous"
    ERRORED = "errored"

    @property
    def judged(self) -> bool:
        """Whether the implementation was really compared with the requirement."""
        return self in {Outcome.CONFORMS, Outcome.VIOLATES, Outcome.DEVIATES, Outcome.WAIVED}

    @property
    def bad(self) -> bool:
        """Whether the outcome speaks against the run: violated, vacuous or errored."""
        return self in {Outcome.VIOLATES, Outcome.VACUOUS, Outcome.ERRORED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation that contradicts a requirement.

    ``quantity`` says what was looked at; ``got`` and ``expected`` are numbers at the worst
    ``index``, or words; ``bound`` is the largest error a correct implementation can show
    there, and ``ratio`` is error ÷ bound (None where nothing was measured).
    """

    quantity: str
    got: float | str
    expected: float | str
    bound: float | None = None
    ratio: float | None = None
    index: tuple[int, ...] | None = None

    def sentence(self) -> str:
        """Return the finding in one line."""
        where = f" at {_position(self.index)}" if self.index else ""
        if self.bound is None or self.ratio is None:
            return f"{self.quantity}: got {self.got}, expected {self.expected}{where}"
        got, expected = _number(self.got), _number(self.expected)
        if got == expected:  # float64 differs further behind
            got, expected = _number(self.got, 17), _number(self.expected, 17)
        return (
            f"{self.quantity}: got {got}, expected {expected} "
            f"± {_number(self.bound, 2)}{where} (error ÷ bound {_number(self.ratio, 2)})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A finding and the generated inputs that led to it, as literal values.

    ``values`` are the same inputs as ``conformance.strategies.codec`` encodes them, from which the
    violation is replayed; ``id`` names it, and is empty where nothing was drawn.
    """

    finding: Finding
    inputs: dict[str, Any] = field(default_factory=dict)
    flaky: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome for one requirement and one implementation, and what it rests on.

    ``cases`` were executed, ``rejected`` were not usable, ``cut`` were left out because the time
    was up; ``comparisons`` numbers were compared; ``worst`` is the largest error ÷ bound among
    them, seen in ``worst_quantity``; ``seconds`` of wall time were used; ``detail`` explains
    outcomes without a violation.
    """

    requirement: str
    implementation: str
    kind: str
    outcome: Outcome
    level: str
    cases: int = 0
    rejected: int = 0
    cut: int = 0
    comparisons: int = 0
    worst: float | None = None
    worst_quantity: str | None = None
    seconds: float = 0.0
    violation: Violation | None = None
    detail: str = ""

    @property
    def pair(self) -> str:
        """The name of what was judged: see ``item_name``."""
        return item_name(self.requirement, self.implementation)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        data = asdict(self) | {"outcome": self.outcome.value}
        if self.violation is not None:
            finding = data["violation"]["finding"]
            finding["index"] = finding["index"] and list(finding["index"])
            for name in ("got", "expected", "bound", "ratio"):
                finding[name] = finite_or_text(finding[name])
        return data | {"worst": finite_or_text(self.worst)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """Return the verdict that ``to_json`` wrote."""
        fields = dict(data) | {"outcome": Outcome(data["outcome"])}
        fields["worst"] = number_from_json(data["worst"])
        if data["violation"] is not None:
            finding = dict(data["violation"]["finding"])
            finding["index"] = tuple(finding["index"]) if finding["index"] is not None else None
            for name in ("bound", "ratio"):
                finding[name] = number_from_json(finding[name])
            fields["violation"] = Violation(**(data["violation"] | {"finding": Finding(**finding)}))
        return cls(**fields)


def item_name(requirement: str, implementation: str) -> str:
    """Return the name of a pair, which is that of its pytest item, such as ``BN-EMA-1[impl]``."""
    return f"{requirement}[{implementation}]"


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
