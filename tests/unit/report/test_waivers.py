"""Waivers: strict, with reasons, pinned, and an error as soon as they are not needed."""

from __future__ import annotations

import datetime
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.report.waiver_format import WaiverError, draft_entry, read_waivers
from conformance.report.waivers import apply_waiver, describe_stale, find_waiver
from conformance.requirements.finding import Finding
from conformance.requirements.requirement import Level
from conformance.requirements.verdict import Outcome, Verdict, Violation

_ENTRY = """
[[waiver]]
requirement = "BN-EMA-2"
implementation = "norm.py:Norm"
reason = "it is PyTorch's convention"
issue = "https://example.org/1"
"""
_TODAY = datetime.date(2026, 5, 1)


def file_of(place: Path, text: str) -> Path:
    path = place / "waivers.toml"
    path.write_text(text, encoding="utf-8")
    return path


def verdict_of(outcome: Outcome) -> Verdict:
    violation = Violation(finding=Finding(quantity="running_var", got=2.0, expected=1.0))
    return Verdict(
        requirement="BN-EMA-2",
        implementation="norm.py:Norm",
        kind="nnx.Module",
        outcome=outcome,
        level=Level.MUST,
        violation=violation if outcome is Outcome.VIOLATES else None,
    )


def test_an_entry_expires(tmp_path: Path):
    """On the day after its last one."""
    with pytest.raises(WaiverError, match="expired on 2026-04-30"):
        read_waivers(file_of(tmp_path, _ENTRY + "expires = 2026-04-30"), _TODAY)


def test_a_waiver_holds_to_its_last_day(tmp_path: Path):
    """The day that is named is included."""
    (waiver,) = read_waivers(file_of(tmp_path, _ENTRY + "expires = 2026-05-01"), _TODAY)
    assert waiver.expires == _TODAY


def test_only_a_violation_is_waived(tmp_path: Path):
    """Any other outcome is unchanged, and makes the waiver stale."""
    waivers = read_waivers(file_of(tmp_path, _ENTRY))
    waiver = find_waiver(waivers, "BN-EMA-2", "norm.py:Norm")
    changed = apply_waiver(verdict_of(Outcome.VIOLATES), waiver)
    assert changed.outcome is Outcome.WAIVED
    assert "PyTorch" in changed.detail
    assert not changed.outcome.bad
    for outcome in (Outcome.CONFORMS, Outcome.ERRORED, Outcome.VACUOUS):
        assert apply_waiver(verdict_of(outcome), waiver).outcome is outcome
    assert find_waiver(waivers, "BN-EMA-1", "norm.py:Norm") is None


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome.CONFORMS, "is no longer needed"),
        (Outcome.DEVIATES, "is no longer needed"),
        (Outcome.UNSUPPORTED, "waives a requirement that does not apply"),
        (Outcome.WAIVED, ""),
        (Outcome.ERRORED, ""),
    ],
)
def test_a_waiver_that_waives_nothing_is_stale(tmp_path: Path, outcome: Outcome, message: str):
    """A requirement that is met, or does not apply, needs no waiver."""
    waivers = read_waivers(file_of(tmp_path, _ENTRY))
    key = ("BN-EMA-2", "norm.py:Norm")
    messages = describe_stale(waivers, {key: verdict_of(outcome)}, ["norm.py:Norm"])
    assert (message in "".join(messages)) if message else messages == []


def test_unmatched_and_unselected_entries(tmp_path: Path):
    """An implementation that is not judged is an error; a requirement left out is not."""
    waivers = read_waivers(file_of(tmp_path, _ENTRY))
    assert describe_stale(waivers, {}, ["norm.py:Norm"]) == []
    (message,) = describe_stale(waivers, {}, ["impl"])
    assert "matches nothing" in message
    renamed = read_waivers(file_of(tmp_path, _ENTRY.replace("norm.py:Norm", "flax-wide")))
    (message,) = describe_stale(renamed, {}, ["flax"])
    assert "matches nothing: 'flax-wide' is now 'flax': every entry" in message


def test_an_unexpected_diagnosis_is_reported(tmp_path: Path):
    """A waiver for one mistake does not cover another."""
    waivers = read_waivers(file_of(tmp_path, _ENTRY + 'diagnosis = "unbiased"'))
    verdicts = {("BN-EMA-2", "norm.py:Norm"): verdict_of(Outcome.WAIVED)}
    right = {"norm.py:Norm": {"sentence": "the running variance is Unbiased"}}
    wrong = {"norm.py:Norm": {"sentence": "momentum is swapped"}}
    assert describe_stale(waivers, verdicts, ["norm.py:Norm"], right) == []
    (message,) = describe_stale(waivers, verdicts, ["norm.py:Norm"], wrong)
    assert "expects 'unbiased'" in message
    (message,) = describe_stale(waivers, verdicts, ["norm.py:Norm"], {})
    assert "the diagnosis is: none" in message
    assert describe_stale(waivers, verdicts, ["norm.py:Norm"], None) == []


@pytest.mark.parametrize("name", ["\N{GRINNING FACE}.py:N", "a\x7f.py:N", 'ü"\n\\.py:N'])
def test_a_skeleton_is_toml_whatever_the_name(name: str):
    """JSON escapes some characters in a way that TOML has not."""
    text = draft_entry(replace(verdict_of(Outcome.VIOLATES), implementation=name))
    assert tomllib.loads(text)["waiver"][0]["implementation"] == name


def test_a_pin_is_toml_whatever_was_drawn():
    """What a literal string of TOML cannot hold is escaped."""
    violation = Violation(finding=Finding(quantity="y", got=1.0, expected=2.0))
    for text in ("plain", "it's", "\x7f"):
        values = {"flag": text}
        made = replace(verdict_of(Outcome.VIOLATES), violation=replace(violation, values=values))
        assert json.loads(tomllib.loads(draft_entry(made))["waiver"][0]["pin"]) == values


def test_a_skeleton_has_to_be_filled_in(tmp_path: Path):
    """What `update` writes is refused until reason and issue are there."""
    text = draft_entry(verdict_of(Outcome.VIOLATES))
    with pytest.raises(WaiverError, match="reason is missing"):
        read_waivers(file_of(tmp_path, text))
