"""One list of themes names the modules of requirements and of properties, and their tests."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import pytest

import conformance
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties import PROPERTIES
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, THEMES, Level
from conformance.requirements.verdict import Outcome
from impl import reference
from impl.faulty import FAULTS
from impl.variants import VARIANTS

PACKAGE = Path(conformance.__file__).parent
SHARED_CONCEPTS = {
    "calling",  # the ways of calling a layer: what was observed of them, and mistakes in them
    "observations",  # what layers do where a MAY row leaves them free: the functions, and a table
    "expressions",  # of the layer's source: what they compute, and which one is wrong
    "oracle",  # the expected results: for the suite by state, and by arrays for everybody
    "deviations",  # declared deviations: their table, and how a verdict takes them into account
    "second_order",  # derivatives along tangents and second ones: the oracle, bounds, and checks
}
"""Names, besides the themes, that modules about the same thing share in two packages."""

QUICK, DEFAULT = budget("quick", minimize=False), budget(minimize=False)


def rows_of(theme: str) -> list[str]:
    """Return the ids of a theme, in the order of presentation."""
    return [row.id for row in importlib.import_module(f"conformance.requirements.{theme}").ROWS]


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_has_its_properties_in_one_module(theme: str):
    """The rows of a theme are those that its module of properties implements, but for MAY rows."""
    module = f"conformance.properties.{theme}"
    implemented = [id_ for id_, prop in PROPERTIES.items() if prop.claim.__module__ == module]
    judged = [row for row in rows_of(theme) if REQUIREMENTS[row].level is not Level.MAY]
    assert sorted(implemented) == sorted(judged)


def test_every_requirement_has_one_theme():
    """The themes divide the requirements."""
    rows = [row for theme in THEMES for row in rows_of(theme)]
    assert sorted(rows) == sorted(REQUIREMENTS)


@pytest.mark.parametrize("theme", THEMES)
def test_the_first_property_of_a_theme_tells_right_from_wrong(theme: str):
    """A reference conforms in a quick run, and a fault that is recorded for it violates."""
    row = REQUIREMENTS[rows_of(theme)[0]]
    fault = next(fault for fault in FAULTS.values() if row.id in fault.breaks)
    wide = VARIANTS["wide"]
    correct = wide if row.needs in wide.capabilities else reference()
    for implementation, chosen, outcome in (
        (correct, QUICK, Outcome.CONFORMS),
        (fault.implementation, DEFAULT, Outcome.VIOLATES),
    ):
        verdict = judge_requirement(row, Subject(implementation), chosen)
        assert verdict.outcome is outcome, verdict


def test_tests_of_properties_are_named_after_what_they_test():
    """A module of tests beside this one is named after a theme, or a part of properties."""
    modules = {path.stem for path in (PACKAGE / "properties").rglob("*")}
    tests = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert tests - {"themes"} <= modules | set(THEMES)


def test_no_two_modules_of_one_name_mean_different_things():
    """A name that occurs in two packages is that of a theme, of one concept, or Python's own."""
    names = Counter(path.stem for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__"))
    repeated = {name for name, times in names.items() if times > 1}
    assert repeated <= set(THEMES) | SHARED_CONCEPTS
