"""Functions for a user's test file: one line, one pytest item per requirement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.adapters.errors import AdapterError
from conformance.engine.budget import PROFILES, budget, choose_seed
from conformance.engine.jax_runtime import remember_compilations
from conformance.frontends.pytest_plugin.outcomes import raise_for_verdict
from conformance.report.junit import junit_properties
from conformance.report.waiver_format import read_waivers
from conformance.report.waivers import Waiver, describe_mismatch, judge_with_waiver
from conformance.requirements import Level, Requirement, select
from conformance.requirements.editions import judged_rows
from conformance.requirements.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from conformance.adapters.implementation import Implementation
    from conformance.frontends.local_judge import LocalJudge
    from conformance.properties.support.subject import Subject


def conformance_tests(
    implementation: str | Implementation,
    *,
    select_only: str = "",
    level: str | None = None,
    edition: str | None = None,
    profile: str = "default",
    max_examples: int | None = None,
    seed: int | None = None,
    strict: bool = False,
    waivers: str | None = None,
) -> Callable[..., None]:
    """Return a parametrized pytest test that judges an implementation.

    ``test_batchnorm = conformance_tests("my_package.norm:MyBatchNorm")`` in a test file makes
    one item per requirement; ``-k EMA`` selects, ``-n auto`` distributes, ``--lf`` repeats.

    Args:
        implementation: A name as for ``conformance run``, or an ``Implementation``; resolved when
            the first item runs.
        select_only: Ids, families or globs, joined by commas; empty for all requirements.
        level: ``must``, ``should`` or ``may``; None for the first two.
        edition: The edition of the requirements; None for the newest and what was added since.
        profile: How many cases to generate: ``quick``, ``default`` or ``thorough``.
        max_examples: Cases per property; overrides the profile.
        seed: The seed of the cases; None for 0, or a random one in the thorough profile.
        strict: A violated SHOULD fails instead of xfailing.
        waivers: A file of known violations, which xfail. It names the implementation as it is
            named here, and may be shared: an entry whose implementation no test file of the
            session judges is an error.

    Returns:
        The test, to be bound to a name that pytest collects.

    Raises:
        UnknownEdition: There is no such edition.
        UnknownRequirement: ``select_only`` matches nothing.
        ValueError: The profile or the level is unknown.
        WaiverError: The file of waivers cannot be used.
    """
    if profile not in PROFILES:
        msg = f"profile={profile!r}: expected one of {', '.join(PROFILES)}"
        raise ValueError(msg)
    rows = select(judged_rows(edition), [select_only], Level(level) if level else None)
    chosen = budget(profile, seed=choose_seed(profile, seed), max_examples=max_examples)
    name = implementation if isinstance(implementation, str) else implementation.name
    entries = read_waivers(Path(waivers)) if waivers is not None else ()
    levels = {row.id: row.level for row in rows}
    waived = {entry.requirement: entry for entry in entries if entry.implementation == name}

    @cache
    def judge() -> _Judge:
        subject = _subject(implementation)
        from conformance.frontends.local_judge import LocalJudge  # noqa: PLC0415  imports JAX

        return _Judge(LocalJudge({name: subject}, chosen), name, waived, levels)

    test = _make_test(rows, judge, strict=strict)
    if waivers is None:
        return test
    file = str(Path(waivers).absolute())
    mark = pytest.mark.conformance_waivers(file=file, implementation=name)
    marked: Callable[..., None] = mark(test)
    return marked


def _make_test(
    rows: tuple[Requirement, ...], judge: Callable[[], _Judge], *, strict: bool
) -> Callable[..., None]:
    @pytest.mark.parametrize("requirement", [_parameter(row) for row in rows])
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_conformance(requirement: str, request: pytest.FixtureRequest) -> None:
        """The implementation meets the requirement."""
        verdict, wrong = judge()(requirement)
        request.node.user_properties.extend(junit_properties(verdict))
        if wrong:
            pytest.fail(wrong, pytrace=False)
        raise_for_verdict(verdict, strict=strict)

    return test_conformance


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges one implementation in this process, with its waivers, at the levels of an edition."""

    judge: LocalJudge
    name: str
    waivers: Mapping[str, Waiver]
    levels: Mapping[str, Level]

    def __call__(self, requirement: str) -> tuple[Verdict, str]:
        """Return the verdict, and what is wrong with its waiver, if there is one."""
        waiver = self.waivers.get(requirement)
        verdict = judge_with_waiver(waiver, partial(self.judge.judge, requirement, self.name, None))
        verdict = replace(verdict, level=self.levels[requirement])
        if waiver is None:
            return verdict, ""
        diagnosis = None
        if waiver.diagnosis and verdict.outcome is Outcome.WAIVED:
            diagnosis = self.judge.diagnose(requirement, self.name)
        return verdict, describe_mismatch(waiver, verdict, diagnosis)


def sequence_machine(implementation: str | Implementation) -> Any:
    """Return a Hypothesis ``RuleBasedStateMachine`` that judges a layer by BN-SEQ-1.

    ``TestSequences = sequence_machine("my_package.norm:MyBatchNorm").TestCase`` in a test file
    explores sequences of calls, writes and copies; ``TestSequences.settings`` decides how many and
    how long.

    Args:
        implementation: A name as for ``conformance run``, or an ``Implementation``.

    Raises:
        AdapterError: The implementation cannot be found, or has no layer.
    """
    subject = _subject(implementation)
    if subject.imported.build is None:
        msg = f"{subject.implementation.name} is a forward function; sequences need a layer."
        raise AdapterError(msg)
    from conformance.properties.stateful import machine_of  # noqa: PLC0415  imports Hypothesis and NumPy

    return machine_of(subject)


def _subject(implementation: str | Implementation) -> Subject:
    remember_compilations()  # JAX reads where its cache is when it is imported
    from conformance.frontends.local_judge import subject_of  # noqa: PLC0415

    return subject_of(implementation)


def _parameter(row: Requirement) -> object:
    mark = pytest.mark.requirement(id=row.id, family=row.family, level=row.level.value)
    return pytest.param(row.id, id=row.id, marks=mark)
