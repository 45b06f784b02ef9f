"""Verdicts: the result for one requirement and one implementation.

Standard library only, and JSON values only: verdicts cross process boundaries.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from conformance.requirements.finding import Finding, finite_or_text, number_from_json
from conformance.requirements.requirement import Level


class Outcome(Enum):
    """How judging one requirement ended."""

    CONFORMS = "conforms"
    VIOLATES = "violates"
    DEVIATES = "deviates"
    WAIVED = "waived"
    OBSERVED = "observed"
    UNSUPPORTED = "unsupported"
    VACUOUS = "vacuous"
    ERRORED = "errored"

    @property
    def judged(self) -> bool:
        """Whether the implementation was compared with the requirement."""
        return self in {Outcome.CONFORMS, Outcome.VIOLATES, Outcome.DEVIATES, Outcome.WAIVED}

    @property
    def bad(self) -> bool:
        """Whether the outcome fails a run: violated, vacuous or errored."""
        return self in {Outcome.VIOLATES, Outcome.VACUOUS, Outcome.ERRORED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A finding and the generated inputs that led to it.

    Attributes:
        finding: What contradicts the requirement.
        inputs: The inputs as literal values, for readers.
        flaky: Whether the same case did not fail each time.
        values: The inputs as ``conformance.strategies.codec`` encodes them, for replay.
        id: Names the counterexample; empty if nothing was drawn.
    """

    finding: Finding
    inputs: dict[str, Any] = field(default_factory=dict)
    flaky: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    id: str = ""


LEFT_OUT = "left out: "
"""What the part of a detail begins with that says which inputs were not judged."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Verdict:
    """The outcome for one requirement and one implementation, with its evidence.

    Attributes:
        requirement: The id of the requirement.
        implementation: The name of the implementation.
        kind: Kind of the implementation, such as "Implementation object".
        outcome: How judging ended.
        level: How binding the requirement is.
        cases: Number of cases executed.
        rejected: The number of those that were not usable.
        cut: Number of cases skipped because of a time limit.
        comparisons: Number of values compared.
        worst: The largest error ÷ bound among them.
        worst_quantity: The quantity in which it occurred.
        resolution: The smallest relative error that is seen in each quantity, bound ÷ scale, by
            the number of rows; of several quantities the largest.
        seconds: Wall time.
        violation: The violation; only of violated and waived requirements.
        detail: An explanation of outcomes without a violation; of a MAY, what was observed.
    """

    requirement: str
    implementation: str
    kind: str
    outcome: Outcome
    level: Level
    cases: int = 0
    rejected: int = 0
    cut: int = 0
    comparisons: int = 0
    worst: float | None = None
    worst_quantity: str | None = None
    resolution: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    violation: Violation | None = None
    detail: str = ""

    def __repr__(self) -> str:
        """The pair and the outcome; a counterexample may have thousands of numbers."""
        place = f", {self.violation.id}" if self.violation is not None else ""
        return f"<Verdict: {self.pair} {self.outcome.value} ({self.level.value}{place})>"

    @property
    def pair(self) -> str:
        """The name of the pair; see ``item_name``."""
        return item_name(self.requirement, self.implementation)

    @property
    def left_out(self) -> str:
        """The inputs that were not judged, each with the reason; empty if all were."""
        return self.detail.partition(LEFT_OUT)[2]

    @property
    def ended_worker(self) -> bool:
        """Whether the implementation hung, or its process was lost."""
        return self.violation is not None and self.violation.finding.kind.ended_worker

    def to_json(self, *, internal: bool = False) -> dict[str, Any]:
        """Return the verdict as JSON values.

        Args:
            internal: Include what reports leave out, for another process of the same suite.
        """
        data = asdict(self) | {"outcome": self.outcome.value, "level": self.level.value}
        if self.violation is not None:
            data["violation"]["finding"] = self.violation.finding.to_json(internal=internal)
        return data | {"worst": finite_or_text(self.worst)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """Return the verdict that ``to_json`` wrote."""
        fields = dict(data) | {"outcome": Outcome(data["outcome"]), "level": Level(data["level"])}
        fields["worst"] = number_from_json(data["worst"])
        if (found := data["violation"]) is not None:
            finding = Finding.from_json(found["finding"])
            fields["violation"] = Violation(**(found | {"finding": finding}))
        return cls(**fields)


def item_name(requirement: str, implementation: str) -> str:
    """Return the name of a pair and of its pytest item, such as ``BN-EMA-1[impl]``."""
    return f"{requirement}[{implementation}]"
