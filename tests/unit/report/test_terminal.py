"""The report as text: violations, the tables of a terminal, and its last lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.example_reports import (
    EVERY,
    FINDING,
    IDS,
    INPUTS,
    WAIVED,
    render_text,
    report,
    verdict,
)

from conformance.report.terminal import conclusion_lines, heading_lines
from conformance.report.text import format_literal, format_violation, rerun_command
from conformance.requirements.editions import newest_edition
from conformance.requirements.finding import RESULT, Finding, FindingKind
from conformance.requirements.verdict import Outcome, Verdict, Violation

# Text


def test_a_violation_is_reported_in_full():
    """The text has requirement, formula, finding, inputs, and two commands to go on with."""
    assert (
        format_violation(EVERY[1])
        == """\
BN-EMA-1  A training call moves the running mean towards the batch mean;
    momentum is the weight of the old value.
    rm' = m·rm + (1−m)·μ
    impl · MUST · violates
    running_mean: got 0.75, expected 0.25 ± 1e-06 at feature 0 (error ÷ bound
      5e+05)
    x = [[1], [0]]
    momentum = 0.75
    eps = 1e-05
    Again:    conformance run impl -k BN-EMA-1
    Explain:  conformance explain BN-EMA-1"""
    )


def test_an_unsteady_violation_says_so():
    """A violation that did not come back is called one that does not happen each time."""
    unsteady = Violation(finding=FINDING, inputs=INPUTS, flaky=True)
    text = format_violation(verdict(outcome=Outcome.VIOLATES, violation=unsteady))
    assert "    impl · MUST · violates, but not each time\n" in text


def test_other_bad_outcomes_tell_their_detail():
    """Vacuous and errored verdicts are followed by why."""
    assert "impl · MUST · vacuous\n    no case was executed\n" in format_violation(EVERY[4])
    assert "· errored\n    the suite itself failed: IndexError\n      line 2\n" in format_violation(
        EVERY[5]
    )


def test_commands_can_be_pasted():
    """Names with spaces or shell characters are quoted."""
    one = verdict(implementation="my norm.py:Norm")
    assert rerun_command(one) == "conformance run 'my norm.py:Norm' -k BN-EMA-1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1"),
        (1e-05, "1e-05"),
        (0.123456789, "0.123456789"),
        (True, "true"),
        (None, "null"),
        ("word", "word"),
        ([[1.0, 2.5], [0.0, -1.0]], "[[1, 2.5], [0, -1]]"),
        ({"gamma": [1.0]}, "(gamma=[1])"),
        ([[0.0] * 7] * 7, "array of shape 7×7, in full in the JSON report"),
    ],
)
def test_literals_are_short(value: Any, text: str):
    """Numbers have no more digits than they need, and long arrays are cut."""
    assert format_literal(value) == text


# The terminal


@pytest.mark.parametrize("one", [*EVERY, WAIVED], ids=lambda v: v.outcome.value)
def test_lines_fit_a_terminal(one: Verdict):
    """No line of a report is longer than 80 columns."""
    assert max(map(len, render_text(report(one)).splitlines())) <= 80


def test_full_reports_fit_a_terminal():
    """A report on every requirement and three implementations stays within 80 columns."""
    names = ("impl", "flax", "path/to/some_file.py:SomeBatchNorm")
    everything = [
        verdict(row, outcome, implementation=name)
        for name, outcome in zip(
            names, (Outcome.CONFORMS, Outcome.VIOLATES, Outcome.ERRORED), strict=True
        )
        for row in IDS
    ]
    lines = [line for line in render_text(report(*everything)).splitlines() if "Again:" not in line]
    assert max(map(len, lines)) <= 80


def test_a_report_works_without_colour():
    """Without a terminal the words are the same, without escape sequences."""
    plain = render_text(report(*EVERY))
    assert "\x1b" not in plain
    coloured = render_text(report(*EVERY), force_terminal=True, color_system="standard")
    assert "\x1b" in coloured
    for word in ("violates 1", "vacuous 4", "errored 5", "deviates (declared) 1", "unsupported"):
        assert word in plain


def test_the_heading_names_the_conditions():
    """The first lines have profile, cases, seed, workers and versions."""
    first, second = heading_lines(report())
    assert first == "default profile · 100 cases per property · seed 0 · 2 workers"
    assert second.startswith("batchnorm-conformance ")
    older = replace(report(), header=replace(report().header, edition="2020.1"))
    assert heading_lines(older)[0].startswith("edition 2020.1 · default profile")
    newest = replace(report().header, edition=newest_edition().name)
    assert heading_lines(replace(report(), header=newest))[0].startswith("default profile")
    own = replace(report().header, seed=None, workers=1)
    assert heading_lines(replace(report(), header=own))[0].endswith(
        "· Hypothesis' own seed · 1 worker"
    )


def test_names_are_not_markup():
    """Square brackets in a name or in a finding are shown as they are."""
    finding = replace(FINDING, quantity="[bold]", index=(1, 2))
    one = verdict(
        outcome=Outcome.VIOLATES,
        violation=Violation(finding=finding),
        implementation="[red]x",
        kind="[/]",
    )
    there = replace(report(one), environments={"mlx@mlx[cpu]==1": {"python": "3.13"}})
    text = render_text(there)
    assert "mlx@mlx[cpu]==1: python 3.13" in text
    assert "[red]x · [/]" in text
    assert "[bold]: got 0.75, expected 0.25 ± 1e-06 at [1, 2]" in text


def test_one_cause_of_many_violations_is_shown_once():
    """The same exception from the same place is shown in full once; the rest are listed by id."""
    raised = Finding(
        quantity="writing the state",
        got="KeyError: 'weights'",
        expected=RESULT,
        kind=FindingKind.RAISED,
        operation="writing the state",
    )
    finding = {
        "BN-EMA-1": replace(
            raised, quantity="the call with use_running_average=False", operation="the call"
        ),
        "BN-EMA-2": raised,
        "BN-EMA-3": raised,
        "BN-EMA-4": replace(raised, kind=FindingKind.FACT),  # another kind of finding
        "BN-EMA-5": raised,
    }
    violated = [
        verdict(name, Outcome.VIOLATES, violation=Violation(finding=found))
        for name, found in finding.items()
    ]
    text = render_text(report(*violated))
    printed = [name for name in finding if f"✗ {name}" in text]
    assert printed == ["BN-EMA-1", "BN-EMA-2", "BN-EMA-4"]
    assert "impl: same cause as BN-EMA-2: BN-EMA-3, BN-EMA-5." in text


def test_commands_repeat_the_conditions():
    """The command to run again carries seed, profile and cases where they are not the usual."""
    header = replace(report(EVERY[1]).header, seed=7, profile="quick", max_examples=5)
    text = render_text(replace(report(EVERY[1]), header=header))
    assert "conformance run impl -k BN-EMA-1 --seed 7 --profile quick --max-examples 5" in text
    assert "Again:    conformance run impl -k BN-EMA-1\n" in render_text(report(EVERY[1]))


def test_conclusions_of_a_good_run():
    """The last lines state the result and the number of cases behind it."""
    assert conclusion_lines(report(verdict(), verdict("BN-EMA-2"), EVERY[3])) == [
        "impl: conforms to 2 of 2 requirements.",
        "2 judgements, 200 cases, 600 comparisons, 12.3 s.",
    ]


def test_conclusions_of_a_bad_run():
    """A failing answer counts the requirements, and the binding ones among them."""
    should = verdict("BN-STATE-8", Outcome.VIOLATES)
    first = conclusion_lines(report(verdict(), EVERY[1], should))[0]
    assert first == "impl: fails 2 of 3 requirements (1 MUST)."


def test_conclusions_of_a_declared_deviation():
    """A declared deviation conforms, and is mentioned."""
    assert conclusion_lines(report(verdict(), EVERY[2]))[0] == (
        "impl: conforms to 2 of 2 requirements, 1 of them by a declared deviation."
    )


def test_what_is_waived_does_not_conform():
    """It is counted separately, and shown with its reason."""
    example = report(verdict(), WAIVED)
    assert conclusion_lines(example)[0] == "impl: conforms to 1 of 2 requirements, 1 waived."
    assert "! BN-EMA-6  impl, waived: it is so (#1)" in render_text(example)


def test_conclusions_of_an_empty_run():
    """Where nothing was judged, the report says so."""
    lines = conclusion_lines(report(EVERY[3]))
    assert lines[0] == "impl: not judged."
    assert lines[-1] == ("Nothing was judged: no chosen requirement applies to what was named.")


def test_incomplete_reports_say_so():
    """Missing verdicts are counted and named, five of them at most."""
    missing = [f"BN-EMA-{number}[impl]" for number in range(1, 8)]
    example = report(verdict("BN-INIT-1"), expected=8, missing=missing)
    assert not example.complete
    assert not example.to_dict()["footer"]["complete"]
    line = conclusion_lines(example)[-1].replace("\\", "")
    assert line == (
        "Incomplete: 7 requirements were not reached (BN-EMA-1[impl], BN-EMA-2[impl], "
        "BN-EMA-3[impl], BN-EMA-4[impl], BN-EMA-5[impl], …)."
    )
    assert "Incomplete: 7 requirements were not reached" in render_text(example)


def test_skipped_cases_are_reported():
    """The last lines name how many requirements were cut short, and the shortest of them."""
    example = report(
        verdict("BN-EMA-1", cases=5, cut=95), verdict("BN-EMA-2", cases=50, cut=50), verdict()
    )
    text = " ".join(render_text(example).split())
    assert "Cut short by --max-time: 2 requirements" in text
    assert "(cases: BN-EMA-1 5 of 100, BN-EMA-2 50 of 100)" in text
    assert "Cut short" not in render_text(report(verdict()))


def test_a_lost_verdict_makes_a_report_incomplete():
    """A report with fewer verdicts than expected is incomplete, whatever is said to be missing."""
    assert not report(verdict(), expected=2).complete
    assert report(verdict()).complete
