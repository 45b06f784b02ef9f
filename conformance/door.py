"""The door for a user's own test file: one line, one pytest item per requirement."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.profiles import PROFILES, budget, chosen_seed
from conformance.requirements import REQUIREMENTS, Level, Requirement, select

if TYPE_CHECKING:
    from conformance.implementation import Implementation
    from conformance.subject import Subject


def conformance_tests(
    implementation: str | Implementation,
    *,
    select_only: str = "",
    level: str | None = None,
    profile: str = "default",
    max_examples: int | None = None,
    seed: int | None = None,
    strict: bool = False,
    waivers: str | None = None,
) -> Callable[[str], None]:
    """Return a parametrized pytest test that judges an implementation.

    ``test_batchnorm = conformance_tests("my_package.norm:MyBatchNorm")`` in a test file gives
    one item per requirement; ``-k EMA`` selects, ``-n auto`` spreads, ``--lf`` repeats.

    ``implementation``: a name as for ``conformance run``, or an ``Implementation``, resolved
    when the first item runs. ``select_only``: ids, families or globs, joined by commas.
    ``level``: ``must`` or ``should``. ``profile``, ``max_examples`` and ``seed`` decide how
    thoroughly to judge; ``strict`` makes a violated SHOULD fail instead of xfail. ``waivers``: a
    file of known violations, which xfail; it names the implementation as it is named here.

    Raises:
        UnknownRequirement: ``select_only`` matches nothing.
        ValueError: the profile or the level is not known.
        WaiverError: the file of waivers cannot be used.
    """
    import pytest  # noqa: PLC0415  importing conformance stays free of it

    if profile not in PROFILES:
        msg = f"profile={profile!r}: expected one of {', '.join(PROFILES)}"
        raise ValueError(msg)
    rows = select(REQUIREMENTS, [select_only], Level(level) if level else None)
    chosen = budget(profile, seed=chosen_seed(profile, seed), max_examples=max_examples)

    from conformance.waivers import read_waivers, stale, waived, waiver_for  # noqa: PLC0415

    entries = read_waivers(Path(waivers)) if waivers is not None else ()
    named = implementation if isinstance(implementation, str) else implementation.name

    @cache
    def subject() -> Subject:
        return _subject(implementation)

    @pytest.mark.parametrize("requirement", [_parameter(row) for row in rows])
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_conformance(requirement: str) -> None:
        """The implementation meets the requirement."""
        from conformance.judging import judge_requirement  # noqa: PLC0415  imports Hypothesis
        from conformance.report.outcome import settle  # noqa: PLC0415

        verdict = judge_requirement(REQUIREMENTS[requirement], subject(), chosen)
        for sentence in stale(entries, {(requirement, named): verdict}, {named}):
            pytest.fail(sentence, pytrace=False)
        settle(waived(verdict, waiver_for(entries, requirement, named)), strict=strict)

    return test_conformance


def sequence_machine(implementation: str | Implementation) -> Any:
    """Return a Hypothesis ``RuleBasedStateMachine`` that judges a layer by BN-SEQ-1.

    ``TestSequences = sequence_machine("my_package.norm:MyBatchNorm").TestCase`` in a test file
    explores sequences of calls, writes and copies; ``TestSequences.settings`` decides how many and
    how long. ``implementation``: as for ``conformance_tests``.

    Raises:
        AdapterError: the implementation cannot be found, or has no layer.
    """
    from conformance.implementation import AdapterError  # noqa: PLC0415
    from conformance.machine import machine_of  # noqa: PLC0415  imports Hypothesis and NumPy

    subject = _subject(implementation)
    if subject.implementation.build is None:
        msg = f"{subject.implementation.name} is a forward function; sequences need a layer."
        raise AdapterError(msg)
    return machine_of(subject)


def _subject(implementation: str | Implementation) -> Subject:
    from conformance.compilation import remember_compilations  # noqa: PLC0415
    from conformance.resolution import resolve  # noqa: PLC0415  may import anything
    from conformance.subject import Subject  # noqa: PLC0415  imports NumPy

    remember_compilations()
    found = resolve(implementation) if isinstance(implementation, str) else implementation
    return Subject(found)


def _parameter(row: Requirement) -> object:
    import pytest  # noqa: PLC0415

    mark = pytest.mark.requirement(id=row.id, family=row.family, level=row.level.value)
    return pytest.param(row.id, id=row.id, marks=mark)
