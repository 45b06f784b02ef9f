"""The pytest item of one requirement and one implementation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.frontends.pytest_plugin.outcomes import raise_for_verdict
from conformance.frontends.pytest_plugin.protocol import EFFECTS, READING, VERDICT
from conformance.report.junit import junit_properties
from conformance.requirements import Requirement
from conformance.requirements.verdict import Verdict


class RequirementItem(pytest.Item):
    """One requirement and one implementation.

    Attributes:
        judge: Returns the verdict; the item does not know where and how it is reached.
        side_effects: Returns the process-wide state that changed since the last call.
        reading: Returns what was read of the implementation, as JSON values, or None.
        implementation: The name of the implementation.
        strict: A violated SHOULD fails.
    """

    judge: Callable[[], Verdict]
    side_effects: Callable[[], list[str]]
    reading: Callable[[], dict[str, Any] | None]
    implementation: str
    strict: bool = False

    def runtest(self) -> None:
        if self.config.getoption("trace", False):
            pytest.set_trace()
        verdict = self.judge()
        self._record(VERDICT, verdict.to_json(internal=True))
        self.user_properties.extend(junit_properties(verdict))
        if effects := self.side_effects():
            self._record(EFFECTS, [self.implementation, effects])
        if reading := self.reading():
            self._record(READING, [self.implementation, reading])
        raise_for_verdict(verdict, strict=self.strict)

    def _record(self, key: str, value: object) -> None:
        self.user_properties.append((key, json.dumps(value)))

    def mark(self, row: Requirement) -> None:
        """Let ``-m 'requirement(id="BN-EMA-1")'`` and ``-k EMA`` select the item."""
        mark = pytest.mark.requirement(id=row.id, family=row.family, level=row.level.value)
        self.add_marker(mark)
        self.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name
