"""The traced calls of one implementation, and what is right in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.diagnosis.deadline import check_time
from conformance.diagnosis.lines.repairs import Repairs, repairs_as_before, wrong_results
from conformance.diagnosis.lines.right_values import RightValues, in_other_mode, right_values
from conformance.diagnosis.lines.steps import Quantities
from conformance.diagnosis.lines.traced_calls import calls_before
from conformance.diagnosis.lines.tracing import Traced
from conformance.diagnosis.lines.tracing import trace as trace_call
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.prediction import Predictor
from conformance.diagnosis.scopes import Part
from conformance.properties.support.subject import Subject


@dataclass(slots=True)
class Traces:
    """Traces calls, each once.

    Attributes:
        subject: The implementation.
        traced: What was traced.
    """

    subject: Subject
    traced: dict[Any, Traced] = field(default_factory=dict)

    def trace(self, call: Observation, history: Sequence[Observation] = ()) -> Traced:
        """Trace a call after others, unless that was done before."""
        made = call.call
        assert made is not None, "a call is traced"  # noqa: S101
        before = () if call.before is None else call.before.arrays().values()
        arrays = made.x, () if made.cotangent is None else made.cotangent, *before
        given = call.config, made.flag, made.seed, len(history)
        key = *given, *(np.asarray(each).tobytes() for each in arrays)
        if key not in self.traced:
            check_time()
            self.traced[key] = trace_call(self.subject, call, history)
        return self.traced[key]

    def trace_wrong(
        self, call: Observation, others: tuple[Part, ...], evidence: Evidence
    ) -> Traced | None:
        """Trace a call as it is wrong: by itself, or after those before it."""
        histories = [[], *filter(None, [calls_before(call, evidence.observations)])]
        for history in histories:
            traced = self.trace(call, history)
            if traced.results and wrong_results(self.target(traced.call, others), traced):
                return traced
        return None

    def repeat(
        self, traced: Traced, others: tuple[Part, ...], first: Traced, found: Sequence[Repairs]
    ) -> list[Repairs | None]:
        """Repair another call in the same ways; see ``repairs_as_before``."""
        values = self.values(traced.call, others)
        target = self.target(traced.call, others)
        return [
            repairs_as_before(self.subject, traced, target, values, first, each) for each in found
        ]

    def target(self, call: Observation, others: tuple[Part, ...]) -> Quantities:
        """Return what the results of a call should be; nothing if that is not predicted."""
        predicted = Predictor(others, self.subject.conventions).one(call) or {}
        return {name: each for name, each in predicted.items() if name != "x afterwards"}

    def values(
        self, call: Observation, others: tuple[Part, ...]
    ) -> tuple[RightValues, RightValues]:
        """Return what is right in a call, and what is right in the other mode."""
        conventions = self.subject.conventions
        other = in_other_mode(call)
        return right_values(others, conventions, call), right_values(others, conventions, other)
