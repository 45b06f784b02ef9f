"""pytest items whose verdicts come from a process of the implementation's own."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from conformance.engine.budget import Clock
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.engine.sandbox.worker_process import RunCancelled
from conformance.frontends.pytest_plugin.collector import EFFECTS_KEY, PROPERTY_KEY
from conformance.frontends.pytest_plugin.outcomes import junit_properties, raise_for_verdict
from conformance.report.waivers import Waiver, judged_with, waiver_for
from conformance.requirements import Requirement
from conformance.requirements.verdict import Verdict


class IsolatedItem(pytest.Item):
    """One requirement and one implementation, judged elsewhere."""

    row: Requirement
    implementation: str
    supervisor: Supervisor
    strict: bool
    clock: Clock | None
    waivers: tuple[Waiver, ...] = ()

    def runtest(self) -> None:
        try:
            self._judge()
        except RunCancelled:
            self.session.shouldstop = "the run is over"
            pytest.skip("not judged: the run is over")

    def _judge(self) -> None:
        until = self.clock.until(shares([self.row])[0]) if self.clock is not None else None
        waiver = waiver_for(self.waivers, self.row.id, self.implementation)
        judge = partial(self.supervisor.judge, self.row.id, self.implementation, until)
        self.settle(judged_with(waiver, judge))

    def settle(self, verdict: Verdict) -> None:
        """Keep the verdict for the report, and let pytest know how it went."""
        self.user_properties.append((PROPERTY_KEY, json.dumps(verdict.to_json(internal=True))))
        self.user_properties.extend(junit_properties(verdict))
        if effects := self.supervisor.take_effects(self.implementation):
            told = json.dumps([self.implementation, effects])
            self.user_properties.append((EFFECTS_KEY, told))
        raise_for_verdict(verdict, strict=self.strict)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


def shares(rows: list[Requirement]) -> list[float]:
    """Return the share of each requirement in the cases of a run; needed for a clock only."""
    from conformance.properties import PROPERTIES  # noqa: PLC0415  imports frameworks

    return [PROPERTIES[row.id].share for row in rows]
