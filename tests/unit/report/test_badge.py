"""The badge."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from support.example_reports import EVERY, WAIVED, complete_report, report, verdict

from conformance.report.badge import badge_texts, to_badge
from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS, select
from conformance.requirements.verdict import Outcome

_ALL = len(select(REQUIREMENTS))
_INCOMPLETE = replace(
    complete_report(), footer=replace(complete_report().footer, missing=["BN-EMA-1[impl]"])
)


@pytest.mark.parametrize(
    ("made", "message", "colour"),
    [
        (complete_report(), "MUST + SHOULD · 0 waivers · 0 deviations", "#2b7a3d"),
        (
            complete_report(verdict("BN-NUM-1", Outcome.DEVIATES)),
            "MUST + SHOULD · 0 waivers · 1 deviation",
            "#2b7a3d",
        ),
        (
            complete_report(verdict("BN-STATE-8", Outcome.VIOLATES)),
            "MUST · 0 waivers · 0 deviations",
            "#8a5a00",
        ),
        (
            complete_report(WAIVED),
            "waives 1 MUST · 1 waiver · 0 deviations",
            "#8a5a00",
        ),
        (
            complete_report(verdict("BN-STATE-8", Outcome.WAIVED)),
            "MUST · 1 waiver · 0 deviations",
            "#8a5a00",
        ),
        (
            complete_report(verdict("BN-EMA-1", Outcome.VIOLATES)),
            "fails 1 MUST · 0 waivers · 0 deviations",
            "#b3261e",
        ),
        (
            report(verdict()),
            f"MUST + SHOULD (1 of {_ALL} requirements) · 0 waivers · 0 deviations",
            "#8a5a00",
        ),
        (
            _INCOMPLETE,
            "MUST + SHOULD (incomplete) · 0 waivers · 0 deviations",
            "#8a5a00",
        ),
        (report(EVERY[3]), f"not judged (1 of {_ALL} requirements) · 0 waivers · 0 deviations",
         "#8a5a00"),
    ],
)  # fmt: skip
def test_badges_say_what_was_reached(made: Report, message: str, colour: str):
    """Level, waivers and deviations are named; a waived requirement is not met."""
    label, found, fill = badge_texts(made)
    suite = made.header.environment["batchnorm-conformance"]
    assert (label, found, fill) == (f"BatchNorm conformance {suite}", message, colour)


def test_badges_are_drawings():
    """A badge is well-formed SVG with a text alternative and no link to anything."""
    made = complete_report()
    there = made.header.environment | {"batchnorm-conformance": '"><script>\x07'}
    hostile = replace(made, header=replace(made.header, environment=there))
    root = ET.fromstring(to_badge(hostile))
    kinds = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in root.iter()}
    assert kinds == {"svg", "title", "rect", "path", "g", "text"}
    assert root.get("aria-label").startswith('BatchNorm conformance "><script>\\x07: MUST')
