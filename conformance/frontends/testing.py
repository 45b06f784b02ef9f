"""The door for a user's own test file: one line, one pytest item per requirement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.engine.budget import PROFILES, Budget, budget, chosen_seed
from conformance.requirements import REQUIREMENTS, Level, Requirement, select

if TYPE_CHECKING:
    from conformance.adapters.implementation import Implementation
    from conformance.properties.support.subject import Subject
    from conformance.report.waivers import Waiver
    from conformance.requirements.verdict import Verdict


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
) -> Callable[..., None]:
    """Return a parametrized pytest test that judges an implementation.

    ``test_batchnorm = conformance_tests("my_package.norm:MyBatchNorm")`` in a test file gives
    one item per requirement; ``-k EMA`` selects, ``-n auto`` spreads, ``--lf`` repeats.

    ``implementation``: a name as for ``conformance run``, or an ``Implementation``, resolved
    when the first item runs. ``select_only``: ids, families or globs, joined by commas.
    ``level``: ``must`` or ``should``. ``profile``, ``max_examples`` and ``seed`` decide how
    thoroughly to judge; ``strict`` makes a violated SHOULD fail instead of xfail. ``waivers``: a
    file of known violations, which xfail; it names the implementation as it is named here, and
    may be shared: an entry that no test file of the session has an implementation for is an error.

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

    from conformance.report.waivers import read_waivers  # noqa: PLC0415

    entries = read_waivers(Path(waivers)) if waivers is not None else ()
    named = implementation if isinstance(implementation, str) else implementation.name

    mine = {entry.requirement: entry for entry in entries if entry.implementation == named}

    @cache
    def judge() -> _Judge:
        return _Judge(_subject(implementation), chosen, mine)

    @pytest.mark.parametrize("requirement", [_parameter(row) for row in rows])
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_conformance(requirement: str, request: pytest.FixtureRequest) -> None:
        """The implementation meets the requirement."""
        from conformance.frontends.pytest_plugin.outcomes import junit_properties, raise_for_verdict  # noqa: PLC0415

        verdict, wrong = judge()(requirement)
        request.node.user_properties.extend(junit_properties(verdict))
        if wrong:
            pytest.fail(wrong, pytrace=False)
        raise_for_verdict(verdict, strict=strict)

    if waivers is None:
        return test_conformance
    file = str(Path(waivers).absolute())
    return pytest.mark.conformance_waivers(file=file, implementation=named)(test_conformance)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges one implementation in this process; ``waivers``: its own, by requirement."""

    subject: Subject
    budget: Budget
    waivers: Mapping[str, Waiver]

    def __call__(self, requirement: str) -> tuple[Verdict, str]:
        """Return the verdict, and what is wrong with the waiver of it, if there is one."""
        from conformance.report.waivers import judged_with, unfit  # noqa: PLC0415

        waiver = self.waivers.get(requirement)
        verdict = judged_with(waiver, partial(self._judged, requirement))
        if waiver is None:
            return verdict, ""
        asked = waiver.diagnosis and verdict.outcome.value == "waived"
        return verdict, unfit(waiver, verdict, self._diagnosis(requirement) if asked else None)

    def _judged(self, requirement: str, values: Mapping[str, Any] | None) -> Verdict:
        from conformance.engine.judge import judge_requirement  # noqa: PLC0415  imports Hypothesis

        return judge_requirement(REQUIREMENTS[requirement], self.subject, self.budget, values)

    def _diagnosis(self, requirement: str) -> dict[str, Any]:
        from conformance.diagnosis import diagnose  # noqa: PLC0415  imports NumPy

        implementation = self.subject.implementation
        return diagnose(implementation, [requirement], judged=[requirement]).to_json()


def sequence_machine(implementation: str | Implementation) -> Any:
    """Return a Hypothesis ``RuleBasedStateMachine`` that judges a layer by BN-SEQ-1.

    ``TestSequences = sequence_machine("my_package.norm:MyBatchNorm").TestCase`` in a test file
    explores sequences of calls, writes and copies; ``TestSequences.settings`` decides how many and
    how long. ``implementation``: as for ``conformance_tests``.

    Raises:
        AdapterError: the implementation cannot be found, or has no layer.
    """
    from conformance.adapters.errors import AdapterError  # noqa: PLC0415
    from conformance.properties.stateful import machine_of  # noqa: PLC0415  imports Hypothesis and NumPy

    subject = _subject(implementation)
    if subject.implementation.build is None:
        msg = f"{subject.implementation.name} is a forward function; sequences need a layer."
        raise AdapterError(msg)
    return machine_of(subject)


def _subject(implementation: str | Implementation) -> Subject:
    from conformance.adapters.resolve import resolve  # noqa: PLC0415  may import anything
    from conformance.engine.jax_runtime import remember_compilations  # noqa: PLC0415
    from conformance.properties.support.subject import Subject  # noqa: PLC0415  imports NumPy

    remember_compilations()
    found = resolve(implementation) if isinstance(implementation, str) else implementation
    return Subject(found)


def _parameter(row: Requirement) -> object:
    import pytest  # noqa: PLC0415

    mark = pytest.mark.requirement(id=row.id, family=row.family, level=row.level.value)
    return pytest.param(row.id, id=row.id, marks=mark)
