"""Judging in this process: for test files, debuggers, and trusted implementations.

Importing this imports Hypothesis, NumPy and JAX: call ``remember_compilations`` before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Any

from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation, reading_of
from conformance.adapters.resolve import resolve
from conformance.engine.budget import Budget, clock_of
from conformance.engine.devices import describe_device, split_device, using_device
from conformance.engine.environments import split_place
from conformance.engine.judge import judge_requirement
from conformance.engine.sandbox.waiting import LongWait
from conformance.engine.tasks import Judged, Task, judge_turn
from conformance.engine.usability import reason_unusable
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Verdict


def subject_of(implementation: str | Implementation, *, strictly: bool = False) -> Subject:
    """Return the subject on which properties act.

    Args:
        implementation: A name as for ``conformance run``, or an ``Implementation``.
        strictly: Ignore declared deviations.

    Raises:
        AdapterError: The implementation cannot be found, or cannot be driven at all.
    """
    name = implementation if isinstance(implementation, str) else ""
    place = split_place(name)
    if place.environment:
        msg = f"{name}: another environment needs another process; judge it without debuggers."
        raise AdapterError(msg)
    with using_device(place.device):
        if isinstance(implementation, str):
            implementation = replace(resolve(place.implementation), name=name)
        subject = Subject(implementation.read(strictly=strictly))
        problem = reason_unusable(subject)
    if problem:
        raise AdapterError(f"{implementation.name} cannot be judged: {problem}.")
    return subject


class LocalJudge:
    """Judges implementations in this process, with the methods of the sandbox's supervisor."""

    def __init__(self, subjects: Mapping[str, Subject], budget: Budget) -> None:
        self._subjects, self._budget = subjects, budget
        self._read: set[str] = set()

    def judge(
        self,
        requirement: str,
        name: str,
        until: float | None = None,
        values: Mapping[str, Any] | None = None,
        max_examples: int = 0,
    ) -> Verdict:
        """Return the verdict on one requirement and one implementation.

        Args:
            requirement: The id.
            name: The name of the implementation.
            until: When to stop generating cases, in seconds since 1970.
            values: A stored case, on which alone it is judged.
            max_examples: Cases per property; 0 for those of the budget.
        """
        budget = replace(self._budget, max_examples=max_examples or self._budget.max_examples)
        row, subject = REQUIREMENTS[requirement], self._subjects[name]
        with using_device(split_device(name)[1]):
            return judge_requirement(row, subject, budget, values, until=until)

    def take_effects(self, name: str) -> list[str]:
        """Return nothing: changes of process-wide state are not observed here."""
        del name
        return []

    def peak_memory(self) -> dict[str, int]:
        """Return nothing: implementations share the memory of this process."""
        return {}

    def take_reading(self, name: str) -> dict[str, Any] | None:
        """Return what was read of an implementation, when first asked."""
        if name in self._read:
            return None
        self._read.add(name)
        device = describe_device(split_device(name)[1])
        return reading_of(self._subjects[name].imported, device)

    def diagnose(self, requirement: str, name: str) -> dict[str, Any]:
        """Return the most likely mistake of an implementation, as JSON values.

        Args:
            requirement: Not used, because a diagnosis considers all calls.
            name: The name of the implementation.
        """
        from conformance.diagnosis import diagnose  # noqa: PLC0415  only for waivers that expect one

        del requirement  # a diagnosis depends only on the layer
        implementation = self._subjects[name].imported
        return diagnose(implementation).to_json()

    def close(self) -> None:
        """Do nothing: there are no processes to end."""


class LocalPool:
    """Judges the pairs of a task in this process, in the place of a ``JudgePool``."""

    def __init__(self, subjects: Mapping[str, Subject]) -> None:
        self._subjects, self._cancelled = subjects, False
        self.shares_cores = False

    def __len__(self) -> int:
        return 1

    def cancel(self) -> None:
        """End the task: pairs that are not judged yet get no verdict."""
        self._cancelled = True

    def judge(
        self,
        task: Task,
        goes_on: Callable[[], bool] = lambda: True,
        on_wait: Callable[[LongWait], None] = lambda _: None,
    ) -> Generator[Judged]:
        """Judge pairs; yield what is found as soon as it is.

        Args:
            task: What to judge.
            goes_on: Is asked after each pair; if it returns False, the task is cancelled.
            on_wait: Receives nothing: this process does not watch itself.
        """
        del on_wait
        judge = LocalJudge(self._subjects, task.budget)
        clock = clock_of(task.ends, (requirement for requirement, _ in task.pairs), 1)
        for turn in task.turns():
            yield judge_turn(judge, turn, task, clock)
            if self._cancelled or not goes_on():
                return
