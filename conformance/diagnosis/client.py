"""Diagnoses each implementation that violates something, in a subprocess.

The controlling process imports neither a framework nor NumPy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from socket import socket
from typing import Any, Protocol, Self

from conformance.engine.sandbox.process_start import (
    fork_by,
    line_for_another,
    process_context,
    start_process,
)
from conformance.report.causes import Cause, causes
from conformance.report.model import Report
from conformance.requirements import Level
from conformance.requirements.verdict import Outcome, Verdict

_PATIENCE = 60
"""Seconds after which there is no answer; the violations are shown anyway."""

_END_LIMIT = 15
"""Seconds that the subprocess may take to end its worker."""

_SOON = 10
"""Seconds in which most mistakes are found."""

_CANDIDATES = 2
"""Counterexamples per cause that are made small: the smallest of them is shown."""

_TO_EXPLAIN = {Outcome.VIOLATES, Outcome.WAIVED}


class Expert(Protocol):
    """Answers questions about one implementation.

    Attributes:
        diagnoses: Whether it will be asked for a diagnosis.
    """

    diagnoses: bool

    @property
    def is_busy(self) -> bool:
        """Whether it is looking for mistakes, and likely to find them soon."""

    def likely(self) -> list[dict[str, Any]]:
        """Return the mistakes that the implementation seems to make, not verified yet."""

    def explain(self, violated: Sequence[Verdict]) -> dict[str, Any]:
        """Return the diagnosis as JSON values; empty if there is none in time.

        Args:
            violated: The verdicts to explain; none to diagnose only.
        """

    def minimize(self, violated: Sequence[Verdict], budget: dict[str, Any]) -> list[Verdict]:
        """Return violations on smaller inputs; none if there is no answer in time.

        Args:
            violated: The verdicts, as judged.
            budget: The arguments of the budget by which they were judged.
        """

    def close(self) -> None:
        """End it, whatever it is doing."""


class ExpertProcess:
    """An expert in a subprocess.

    Args:
        name: The implementation, as on the command line.
        strictly: Ignore declared deviations.
        diagnose: Whether it will be asked for a diagnosis, on which it begins to work at once.
        ends: When no answer is waited for any more, in seconds since 1970; None for no limit.
    """

    def __init__(
        self, name: str, *, strictly: bool, diagnose: bool, ends: float | None = None
    ) -> None:
        self.diagnoses, self._ends = diagnose, math.inf if ends is None else ends
        self._begun = time.monotonic()
        self._likely: list[dict[str, Any]] | None = None if diagnose else []
        context = process_context("conformance.diagnosis.expert")
        self._connection, theirs = context.Pipe()
        about = {"name": name, "strictly": strictly, "diagnose": diagnose, "patience": _PATIENCE}
        with line_for_another() as line:
            self._process = context.Process(target=_serve, args=(theirs, line), kwargs=about)
            start_process(self._process)
        theirs.close()

    def likely(self, seconds: float = 0) -> list[dict[str, Any]]:
        """Return the mistakes that the implementation seems to make, not verified yet.

        Args:
            seconds: How long to wait for them; there are none before they are known.
        """
        if self._likely is None and self._connection.poll(seconds):
            self._likely = self._receive() or []
        return self._likely or []

    @property
    def is_busy(self) -> bool:
        """Whether it is looking for mistakes, and likely to find them soon."""
        return self._likely is None and time.monotonic() < self._begun + _SOON

    def explain(self, violated: Sequence[Verdict]) -> dict[str, Any]:
        """Return the diagnosis as JSON values; empty if there is none in time."""
        found = self._ask({"explain": _to_json(violated)})
        return found if isinstance(found, dict) else {}

    def minimize(self, violated: Sequence[Verdict], budget: dict[str, Any]) -> list[Verdict]:
        """Return violations on smaller inputs; none if there is no answer in time."""
        found = self._ask({"minimize": _to_json(violated), "budget": budget})
        return [Verdict.from_json(each) for each in found or ()]

    def close(self) -> None:
        """End the subprocess, whatever it is doing; it ends its worker first."""
        self._process.terminate()  # once: a second reason to end would interrupt the end
        self._process.join(_END_LIMIT)
        self._process.kill()
        self._connection.close()

    def _ask(self, question: dict[str, Any]) -> Any:
        with suppress(OSError, EOFError):
            self._connection.send(question)
            self.likely(self._left(_PATIENCE + _END_LIMIT))
            if self._connection.poll(self._left(2 * _PATIENCE + _END_LIMIT)):
                return self._receive()
        return None

    def _left(self, seconds: float) -> float:
        """Return for how many of some seconds an answer is waited for."""
        return max(0.0, min(seconds, self._ends - time.time()))

    def _receive(self) -> Any:
        with suppress(OSError, EOFError):  # it has ended
            return self._connection.recv()
        return None


def _serve(connection: Connection, line: socket | None, **about: Any) -> None:
    from conformance.diagnosis.expert import serve  # noqa: PLC0415  imports NumPy

    fork_by(line)
    serve(connection, **about)


@dataclass(slots=True)
class Answers:
    """What is known about the implementations of a report.

    Attributes:
        diagnoses: By implementation, of those about which anything can be said.
        smaller: The verdicts that are shown as examples, on smaller inputs.
    """

    diagnoses: dict[str, dict[str, Any]] = field(default_factory=dict)
    smaller: list[Verdict] = field(default_factory=list)


class Experts:
    """The experts on the implementations of a run, one at a time; a context manager.

    Args:
        strictly: Ignore declared deviations.
        diagnose: Whether to look for mistakes.
        minimize: Whether to make the examples small.
        ends: When no answer is waited for any more, in seconds since 1970; None for no limit.
        make_expert: Makes an expert, given the arguments of ``ExpertProcess``.

    Attributes:
        diagnoses: Whether they look for mistakes.
    """

    def __init__(
        self,
        *,
        strictly: bool,
        diagnose: bool = True,
        minimize: bool = False,
        ends: float | None = None,
        make_expert: Callable[..., Expert] = ExpertProcess,
    ) -> None:
        self._strictly, self.diagnoses, self._minimize = strictly, diagnose, minimize
        self._ends, self._make_expert = ends, make_expert
        self._early: tuple[str, Expert] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._early is not None:
            self._early[1].close()

    def begin(self, verdict: Verdict) -> None:
        """Begin to diagnose the first implementation that violates a MUST, during the run."""
        binding = verdict.outcome is Outcome.VIOLATES and verdict.level is Level.MUST
        if self.diagnoses and binding and not verdict.ended_worker and self._early is None:
            name = verdict.implementation
            self._early = name, self._expert_on(name, diagnose=True)

    def likely(self) -> list[dict[str, Any]]:
        """Return the mistakes that the implementation of ``begin`` seems to make, if known yet."""
        return [] if self._early is None else self._early[1].likely()

    @property
    def are_busy(self) -> bool:
        """Whether one of them is looking for mistakes."""
        return self._early is not None and self._early[1].is_busy

    def consult(self, report: Report) -> Answers:
        """Return the diagnoses of a report, and examples of its violations on smaller inputs."""
        answers = Answers()
        for name in report.header.implementations:
            violated = [v for v in report.of(name) if v.outcome in _TO_EXPLAIN]
            if violated:
                self._consult_on(name, violated, report, answers)
        return answers

    def _consult_on(
        self, name: str, violated: Sequence[Verdict], report: Report, answers: Answers
    ) -> None:
        again = any(v.ended_worker for v in violated)  # it would hang or crash again
        diagnose = self.diagnoses and not again
        is_late = self._ends is not None and time.time() > self._ends
        if is_late or not (diagnose or self._minimize):
            return
        with closing(self._take(name, diagnose=diagnose)) as expert:
            found = expert.explain(violated) if expert.diagnoses else {}
            if found.get("sentence"):
                answers.diagnoses[name] = found
            if self._minimize:
                shown = _examples(causes(replace(report, diagnoses=answers.diagnoses), name))
                answers.smaller += expert.minimize(shown, _budget(report)) if shown else []

    def _take(self, name: str, *, diagnose: bool) -> Expert:
        if self._early is not None and self._early[0] == name and diagnose:
            (_, expert), self._early = self._early, None
            return expert
        return self._expert_on(name, diagnose=diagnose)

    def _expert_on(self, name: str, *, diagnose: bool) -> Expert:
        return self._make_expert(name, strictly=self._strictly, diagnose=diagnose, ends=self._ends)


def diagnoses(report: Report) -> dict[str, dict[str, Any]]:
    """Return the diagnoses by implementation, of those about which anything can be said."""
    with Experts(strictly=report.header.strict_reading) as experts:
        return experts.consult(report).diagnoses


def _examples(found: Sequence[Cause]) -> list[Verdict]:
    """Return the violations of which the examples are chosen."""
    chosen = [each for cause in found if not cause.unchecked for each in cause.ranked[:_CANDIDATES]]
    return [each for each in chosen if each.violation is not None and not each.ended_worker]


def _budget(report: Report) -> dict[str, Any]:
    """Return the arguments of the budget by which a report was judged."""
    header = report.header
    return {"profile": header.profile, "seed": header.seed, "max_examples": header.max_examples}


def _to_json(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    return [verdict.to_json(internal=True) for verdict in verdicts]
