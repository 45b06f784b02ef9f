"""Collects the verdicts of a run, and makes the ``Report``. Imports no framework."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.engine.tasks import Judged, Pair
from conformance.frontends.run_config import RunConfig
from conformance.report.model import Footer, Header, Report, read_environment, sort_verdicts
from conformance.report.waivers import describe_stale
from conformance.requirements.verdict import Outcome, Verdict, item_name


@dataclass(eq=False)  # pytest keeps its plugins in a set
class Collection:
    """What is known about a run.

    Attributes:
        run: What is judged, and how.
        on_verdict: Receives each verdict as it arrives.
        verdicts: The verdicts by requirement and implementation.
        refusal: Why nothing can be judged, if so.
        expected: The pairs that the run is to judge.
        started: The start of the run, in seconds since 1970.
        workers: The number of processes that judge.
        effects: The process-wide state that each implementation changed.
        peaks: The largest resident memory of the processes of each implementation, in bytes.
        recognitions: How implementations without an adapter were read, by name.
        mined: Numbers that the source of each implementation mentions.
        devices: What the device of each implementation calls itself.
        environments: The versions in the environment of each implementation in another one.
        diagnoses: The diagnoses by implementation; None where none was made.
    """

    run: RunConfig
    on_verdict: Callable[[Verdict], None] | None = None
    verdicts: dict[Pair, Verdict] = field(default_factory=dict)
    refusal: str | None = None
    expected: set[Pair] = field(default_factory=set)
    started: float = field(default_factory=time.time)
    workers: int = 1
    effects: dict[str, list[str]] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    recognitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    mined: dict[str, list[float]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    diagnoses: dict[str, dict[str, Any]] | None = None

    def add(self, verdict: Verdict) -> None:
        """Store a verdict."""
        self.verdicts[verdict.requirement, verdict.implementation] = verdict
        if self.on_verdict is not None:
            self.on_verdict(verdict)

    def take(self, judged: Judged) -> None:
        """Store what a pool has found out about a pair."""
        self.take_besides(judged)
        self.add(judged.verdict)

    def take_besides(self, judged: Judged) -> None:
        """Store what a pool has found out beside the verdict."""
        name = judged.verdict.implementation
        if judged.effects:
            self.add_effects(name, judged.effects)
        self.add_reading(name, judged.reading or {})
        self.add_peaks(judged.peaks)

    def add_effects(self, name: str, effects: list[str]) -> None:
        """Store the process-wide state that an implementation has changed."""
        known = self.effects.setdefault(name, [])
        known += [effect for effect in effects if effect not in known]

    def add_reading(self, name: str, reading: Mapping[str, Any]) -> None:
        """Store what was read of an implementation, as JSON values."""
        kept: dict[str, dict[str, Any]] = {
            "recognition": self.recognitions,
            "mined": self.mined,
            "device": self.devices,
            "environment": self.environments,
        }
        for part, by_name in kept.items():
            if part in reading:
                by_name[name] = reading[part]

    def add_peaks(self, peaks: Mapping[str, int]) -> None:
        """Store how much memory the implementations took in one process that judges."""
        for name, peak in peaks.items():
            self.peaks[name] = max(peak, self.peaks.get(name, 0))

    def report(self, exit_code: int) -> Report:
        """Return the report on everything collected so far, in the order of the table."""
        verdicts = sort_verdicts(self.verdicts.values(), self.run.implementations)
        missing = sorted(item_name(*pair) for pair in self.expected - set(self.verdicts))
        return Report(
            header=self._header(),
            verdicts=verdicts,
            diagnoses=self.diagnoses or {},
            side_effects=self.effects,
            recognitions=self.recognitions,
            mined=self.mined,
            devices=self.devices,
            environments=self.environments,
            footer=Footer(
                expected=len(self.expected),
                verdicts=len(verdicts),
                missing=missing,
                seconds=round(time.time() - self.started, 3),
                exit_code=int(exit_code),
            ),
        )

    def _header(self) -> Header:
        return Header(
            started=self.started,
            profile=self.run.budget.profile,
            seed=self.run.budget.seed,
            max_examples=self.run.budget.max_examples,
            strict=self.run.strict,
            edition=self.run.edition,
            strict_reading=self.run.strict_reading,
            implementations=list(self.run.implementations),
            requirements=[row.id for row in self.run.requirements],
            workers=self.workers,
            environment=read_environment(),
            shard=None if self.run.shard is None else str(self.run.shard),
        )

    @property
    def expects_a_diagnosis(self) -> bool:
        """Whether a waiver of a violation accepts one known mistake only."""
        return any(
            waiver.diagnosis and verdict.outcome is Outcome.WAIVED
            for waiver in self.run.waivers
            if (verdict := self.verdicts.get((waiver.requirement, waiver.implementation)))
        )

    @property
    def stale(self) -> list[str]:
        """What is wrong with the waivers, now that there are verdicts."""
        names = self.run.implementations
        return describe_stale(self.run.waivers, self.verdicts, names, self.diagnoses)
