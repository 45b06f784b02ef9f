"""How reports show what was observed of MAY rows: beside verdicts, and counted by none of them."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from support.example_reports import EVERY, IDS, OBSERVED, WAIVED, render_text, report, verdict

from conformance.report.badge import badge_texts
from conformance.report.code_quality import to_gitlab
from conformance.report.diff import compare
from conformance.report.exit_codes import exit_code_of
from conformance.report.github_commands import to_github
from conformance.report.grade import GradedRun, to_grade
from conformance.report.judgement import Report
from conformance.report.junit import to_junit
from conformance.report.markdown import code, to_markdown
from conformance.report.observations import observation_lines
from conformance.report.page import to_html
from conformance.report.sarif import to_sarif
from conformance.report.screen import answer_lines
from conformance.report.summary import summarize_each
from conformance.requirements.verdict import Outcome

LOST = replace(OBSERVED, requirement="BN-FLAG-6", outcome=Outcome.ERRORED, detail="no time")
OTHER = replace(OBSERVED, implementation="flax", detail="\x1b[31m<b>refused</b>")
WITHOUT, WITH = report(*EVERY, WAIVED), report(*EVERY, WAIVED, OBSERVED, LOST)
ONLY = report(OBSERVED, LOST, OTHER, replace(OTHER, implementation="third"))


@pytest.mark.parametrize("strict", [False, True])
def test_no_answer_count_score_or_exit_code_changes(strict: bool):
    """With observations a run ends as it does without them, whatever became of these."""
    before, after = (
        replace(each, header=replace(each.header, strict=strict)) for each in (WITHOUT, WITH)
    )
    assert exit_code_of(before.verdicts, strict=strict) is exit_code_of(
        after.verdicts, strict=strict
    )
    grades = [to_grade(GradedRun(report=each))["grades"] for each in (before, after)]
    assert grades[0] == grades[1]
    for render in (to_sarif, to_gitlab, to_github, badge_texts):
        assert render(before) == render(after)
    assert answer_lines(before, "impl") == answer_lines(after, "impl")
    ((_, counts),) = summarize_each(after)
    assert counts.observed == 1
    assert [replace(counts, observed=0)] == [sums for _, sums in summarize_each(before)]


def test_rows_that_are_left_open_complete_no_report():
    """All requirements are all of them without MAY rows, and MAY rows replace none."""
    assert badge_texts(report(*map(verdict, IDS)))[1].startswith("MUST + SHOULD ·")
    assert "0 of" in badge_texts(ONLY)[1]


def test_equal_answers_share_a_line():
    """Each row comes once; where there are several implementations, an answer has their names."""
    assert observation_lines(ONLY)[1:4] == [
        "BN-EPS-2  eps = 0 may be refused; otherwise y may be anything where the",
        "  variance is 0.",
        "    impl: training gives NaN",
    ]
    assert "    flax, third: \x1b[31m<b>refused</b>" in observation_lines(ONLY)
    assert "    not observed: no time" in observation_lines(WITH)
    assert not observation_lines(WITHOUT)


def test_every_rendering_shows_them():
    """As text and HTML, and in a notebook; text of a layer is made harmless."""
    shown = Report(header=ONLY.header, footer=ONLY.footer, verdicts=ONLY.verdicts)
    for text in (render_text(ONLY), repr(shown)):
        assert "flax, third: \\x1b[31m<b>refused</b>" in text
        assert "· impl: 1 observation." in text or "impl: 1 observation." in text
        assert "Nothing was judged" not in text
        assert "3 observations, 12.3 s." in text
    assert "&lt;b&gt;refused&lt;/b&gt;" in to_html(ONLY)
    assert "<b>refused" not in to_html(ONLY)
    assert f"| {code('flax')}, {code('third')} | {code(OTHER.detail)} |" in to_markdown(ONLY)
    assert not shown.conforms


def test_junit_skips_them():
    """A case that cannot fail has not passed."""
    (suite,) = ET.fromstring(to_junit(report(OBSERVED, LOST)))
    assert (suite.get("skipped"), suite.get("errors"), suite.get("failures")) == ("2", "0", "0")
    assert next(suite.iter("skipped")).get("message") == "training gives NaN"


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (OBSERVED, OBSERVED, []),
        (OBSERVED, LOST, []),
        (
            OBSERVED,
            replace(OBSERVED, detail="refused"),
            ["BN-EPS-2[impl]: training gives NaN → refused"],
        ),
    ],
)
def test_another_answer_is_a_change_and_never_worse(old, new, changed):
    """What is not observed any more is not a loss."""
    found = compare(report(old), report(new))
    assert (found.changed, found.worse) == (changed, False)


def test_the_json_report_has_the_grounds():
    """Readers of JSON find what was observed, and why it is open."""
    made = json.loads(report(OBSERVED).to_text())
    assert made["verdicts"][0]["detail"] == "training gives NaN"
    assert made["grounds"]["BN-EPS-2"].startswith("left open: ")
    assert made["footer"]["counts"]["observed"] == 1
