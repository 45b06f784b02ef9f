"""The report as Markdown, and text that is not trusted in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.example_reports import EVERY, FINDING, IDS, WAIVED, complete_report, report, verdict

from conformance.adapters.errors import printable
from conformance.frontends.cli.publishing import summarize_job
from conformance.report.markdown import code, to_markdown
from conformance.requirements.verdict import Outcome, Violation

EVIL = "a|b\n`c` <script>x</script> **d** @someone #1 \x1b[31m\u202e"

_ALL = len(IDS)


# Text that is not trusted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain γ σ ×", "plain γ σ ×"),
        ("a\nb\tc", "a\nb\tc"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u202eback", r"\u202eback"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\ud800", r"\ud800"),
        ("\U000e0041tag", r"\U000e0041tag"),
        ("\x85\u2028", r"\x85\u2028"),
    ],
)
def test_hiding_characters_are_shown(text: str, shown: str):
    """Control, format and surrogate characters become escapes, everything else stays."""
    assert printable(text) == shown


# Markdown


def test_the_table_has_a_line_for_each_implementation():
    """Answer, counts and worst error ÷ bound are columns."""
    other = verdict("BN-EMA-1", implementation="other")
    text = to_markdown(report(*EVERY, other))
    assert "| <code>impl</code> | **fails** | 2/5 | 3 | 0 | 0.25 |" in text
    assert "| <code>other</code> | **conforms** | 1/1 | 0 | 0 | 0.25 |" in text


def test_markdown_is_short():
    """However much fails, a pull request gets a screen of text."""
    bad = [verdict(identity, Outcome.VIOLATES) for identity in IDS]
    text = to_markdown(report(*bad))
    assert len(text.splitlines()) < 40
    assert len(text) < 20_000
    assert f"and {len(bad) - 20} more, in the JSON report" in text


def test_hostile_text_leaves_no_code_span():
    """Bars, backticks, tags, mentions and line ends of a name are entities inside code."""
    violation = Violation(finding=replace(FINDING, quantity=EVIL), inputs={EVIL: EVIL})
    bad = verdict("BN-EMA-1", Outcome.VIOLATES, implementation=EVIL, violation=violation)
    diagnosed = replace(report(bad), diagnoses={EVIL: {"kind": "observed", "sentence": EVIL}})
    text = to_markdown(diagnosed)
    for part in ("<script", "`", "@someone", "\x1b", "\u202e", "**d**"):
        assert part not in text
    (row,) = [line for line in text.splitlines() if line.startswith("| <code>")]
    assert row.count("|") == 7
    assert code("a|b") == "<code>a&#124;b</code>"


def test_partial_reports_say_so():
    """A report on some requirements, or one that lost some, does not pass for a whole one."""
    assert f"covers only a part: 1 of {_ALL} requirements" in to_markdown(report(verdict()))
    assert "covers only a part: incomplete" in to_markdown(report(verdict(), expected=2))
    assert "covers only a part" not in to_markdown(complete_report())


def test_a_job_gets_a_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The table is appended to the output of other steps, and only on request."""
    path = tmp_path / "summary.md"
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    summarize_job(complete_report())
    assert not path.exists()
    path.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    summarize_job(complete_report())
    assert path.read_text("utf-8") == "before\n" + to_markdown(complete_report())


def test_a_summary_that_cannot_be_written_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The verdict does not depend on it."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    summarize_job(complete_report())
    assert capsys.readouterr().err.startswith("Warning: no job summary: ")


def test_what_is_waived_does_not_conform():
    """It counts as not met, the conclusion says so, and its reason is shown with the finding."""
    text = to_markdown(report(verdict(), WAIVED))
    assert "| <code>impl</code> | **conforms but for 1 waiver** | 1/2 | 0 | 0 | 0.25 |" in text
    assert "<summary>1 waived</summary>" in text
    (item,) = [line for line in text.splitlines() if line.startswith("- ")]
    assert "BN-EMA-6 &#40;MUST&#41;, waived" in item
    assert "it is so &#40;&#35;1&#41;; running&#95;mean&#58; got 0.75, expected 0.25" in item
    assert "**waived** | 0/1" in to_markdown(report(WAIVED))
