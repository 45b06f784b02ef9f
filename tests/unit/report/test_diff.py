"""What changed between two reports, and how `conformance diff` says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.example_reports import report, verdict

from conformance.frontends.cli import main
from conformance.report.diff import compare
from conformance.report.model import Report
from conformance.requirements import Level
from conformance.requirements.editions import Edition
from conformance.requirements.verdict import Outcome, Verdict

GOOD = verdict("BN-EMA-1")
BAD = verdict("BN-EMA-1", Outcome.VIOLATES)
WAIVED = verdict("BN-EMA-1", Outcome.WAIVED, cases=1)
UNSUPPORTED = verdict("BN-EMA-1", Outcome.UNSUPPORTED, cases=0, worst=None, detail="needs forward")


def changes(old: Verdict | None, new: Verdict | None) -> dict[str, list[str]]:
    """The lines that are not empty, by kind."""
    before, after = (report(*(v for v in (each,) if v)) for each in (old, new))
    found = compare(before, after)
    return {name: getattr(found, name) for name in found.__slots__ if getattr(found, name)}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (GOOD, GOOD, {}),
        (BAD, BAD, {}),
        (GOOD, BAD, {"newly_failing": ["BN-EMA-1[impl]: conforms → violates"]}),
        (BAD, GOOD, {"fixed": ["BN-EMA-1[impl]: violates → conforms"]}),
        (GOOD, UNSUPPORTED, {"vanished": ["BN-EMA-1[impl]: conforms → unsupported"]}),
        (BAD, UNSUPPORTED, {"vanished": ["BN-EMA-1[impl]: violates → unsupported"]}),
        (GOOD, None, {"vanished": ["BN-EMA-1[impl]: was conforms"]}),
        (None, GOOD, {"appeared": ["BN-EMA-1[impl]: conforms"]}),
        (
            None,
            BAD,
            {
                "appeared": ["BN-EMA-1[impl]: violates"],
                "newly_failing": ["BN-EMA-1[impl]: absent → violates"],
            },
        ),
        (UNSUPPORTED, BAD, {"newly_failing": ["BN-EMA-1[impl]: unsupported → violates"]}),
        (
            GOOD,
            replace(GOOD, outcome=Outcome.DEVIATES),
            {"changed": ["BN-EMA-1[impl]: conforms → deviates"]},
        ),
        (
            BAD,
            verdict("BN-EMA-1", Outcome.VACUOUS),
            {"changed": ["BN-EMA-1[impl]: violates → vacuous"]},
        ),
        (BAD, WAIVED, {"changed": ["BN-EMA-1[impl]: violates → waived"]}),
        (GOOD, WAIVED, {"changed": ["BN-EMA-1[impl]: conforms → waived"]}),
        (WAIVED, GOOD, {"fixed": ["BN-EMA-1[impl]: waived → conforms"]}),
        (WAIVED, BAD, {"newly_failing": ["BN-EMA-1[impl]: waived → violates"]}),
        (
            GOOD,
            replace(GOOD, worst=0.6),
            {"drift": ["BN-EMA-1[impl]: error ÷ bound 0.25 → 0.6"]},
        ),
        (GOOD, replace(GOOD, worst=0.4), {}),
        (replace(GOOD, worst=1e-6), replace(GOOD, worst=9e-3), {}),
        (replace(GOOD, worst=0.0), replace(GOOD, worst=0.3), {"drift": [
            "BN-EMA-1[impl]: error ÷ bound 0 → 0.3"]}),
        (GOOD, replace(GOOD, worst=None), {}),
        (GOOD, replace(GOOD, cases=49), {"fewer_cases": ["BN-EMA-1[impl]: 100 → 49 cases"]}),
        (GOOD, replace(GOOD, cases=50), {}),
        (GOOD, replace(BAD, cases=1), {"newly_failing": ["BN-EMA-1[impl]: conforms → violates"]}),
        (GOOD, replace(GOOD, seconds=3.0), {"slower": ["BN-EMA-1[impl]: 0.5 s → 3.0 s"]}),
        (GOOD, replace(GOOD, seconds=1.4), {}),
    ],
)  # fmt: skip
def test_changes_are_listed_by_kind(
    old: Verdict | None, new: Verdict | None, found: dict[str, list[str]]
):
    """Each kind of change is reported in its section, and only there."""
    assert changes(old, new) == found


def test_other_conditions_are_reported():
    """Other possible reasons for a change are reported: options and versions."""
    old = report(GOOD)
    there = old.header.environment | {"jax": "0.0.1"}
    new = replace(old, header=replace(old.header, seed=3, environment=there))
    lines = compare(old, new).configuration
    assert lines == ["seed: 0 → 3", f"jax: {old.header.environment['jax']} → 0.0.1"]


@pytest.mark.parametrize(
    ("outcome", "old", "new", "kind"),
    [
        (Outcome.VIOLATES, Level.SHOULD, Level.MUST, "newly_failing"),
        (Outcome.VIOLATES, Level.MUST, Level.SHOULD, "changed"),
        (Outcome.CONFORMS, Level.SHOULD, Level.MUST, "changed"),
    ],
)
def test_another_level_is_reported(outcome: Outcome, old: Level, new: Level, kind: str):
    """A violation that has become one of a MUST newly fails; all others are changes."""
    pair = [verdict(outcome=outcome, level=level) for level in (old, new)]
    line = f"BN-EMA-1[impl]: {outcome.value}, {old.value.upper()} → {new.value.upper()}"
    assert changes(*pair) == {kind: [line]}


@pytest.mark.parametrize("dropped", [True, False])
def test_what_another_edition_does_not_have_has_not_vanished(
    dropped: bool, monkeypatch: pytest.MonkeyPatch
):
    """It is a change, which is not worse; other pairs that are missing have vanished."""
    rows = {"BN-EMA-2": {}} | ({} if dropped else {"BN-EMA-1": {}})
    other = Edition("2020.1", rows)
    monkeypatch.setattr(Report, "edition", other)
    before, after = report(GOOD), report()
    after = replace(after, header=replace(after.header, edition="2020.1"))
    found = compare(before, after)
    assert found.configuration == ["edition: none → 2020.1"]
    assert found.worse is not dropped
    wanted = ["BN-EMA-1[impl]: was conforms, not in edition 2020.1"] if dropped else []
    assert found.changed == wanted


# The command


def diff(directory: Path, old: Report, new: Report) -> Result:
    old.write(directory / "old.json")
    new.write(directory / "new.json")
    return CliRunner().invoke(
        main, ["diff", str(directory / "old.json"), str(directory / "new.json")]
    )


def test_no_change_ends_with_zero(tmp_path: Path):
    """Two equal reports: one line, and exit code 0."""
    done = diff(tmp_path, report(GOOD), report(GOOD))
    assert (done.exit_code, done.output) == (0, "No change.\n")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (GOOD, BAD, 1),
        (GOOD, UNSUPPORTED, 1),
        (BAD, GOOD, 0),
        (GOOD, replace(GOOD, worst=0.9, seconds=60.0, cases=3), 0),
    ],
)
def test_the_exit_code_is_for_pipelines(tmp_path: Path, old: Verdict, new: Verdict, code: int):
    """New failures and lost coverage end with 1; drift, time and fewer cases are only reported."""
    done = diff(tmp_path, report(old), report(new))
    assert done.exit_code == code
    assert "BN-EMA-1[impl]" in done.output


def test_a_difference_is_reported_by_kind(tmp_path: Path):
    """A heading with a count, and a line for each pair."""
    done = diff(tmp_path, report(GOOD), report(BAD))
    assert done.output == "Newly failing (1)\n  BN-EMA-1[impl]: conforms → violates\n"


def test_hostile_names_are_escaped(tmp_path: Path):
    """A name cannot send escape sequences to the terminal."""
    evil = replace(GOOD, implementation="\x1b[2Jevil\u202e")
    done = diff(tmp_path, report(), report(evil))
    assert "\x1b" not in done.output
    assert r"BN-EMA-1[\x1b[2Jevil\u202e]: conforms" in done.output


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    "changes", [{"expected": 9}, {"missing": ["BN-EMA-2[impl]"]}], ids=["lost", "missing"]
)
def test_incomplete_reports_are_refused(tmp_path: Path, which: int, changes: dict[str, Any]):
    """Verdicts missing from an incomplete report are not changes: the file is refused."""
    pair = [report(GOOD), report(GOOD)]
    pair[which] = report(GOOD, **changes)
    done = diff(tmp_path, *pair)
    assert done.exit_code == 2
    assert f"{('old', 'new')[which]}.json is not the report of a whole run." in done.output


def test_a_part_is_refused(tmp_path: Path):
    """A shard is put together first."""
    part = report(GOOD)
    part = replace(part, header=replace(part.header, shard="1/2"))
    done = diff(tmp_path, report(GOOD), part)
    assert done.exit_code == 2
    assert "`conformance combine`" in done.output


def test_another_version_is_refused(tmp_path: Path):
    """A report of another version is refused, naming the version, without a traceback."""
    report(GOOD).write(tmp_path / "old.json")
    (tmp_path / "new.json").write_text('{"format": "batchnorm-conformance-report", "version": 2}')
    done = CliRunner().invoke(
        main, ["diff", str(tmp_path / "old.json"), str(tmp_path / "new.json")]
    )
    assert done.exit_code == 2
    assert "version 2; this suite reads 1" in done.output
