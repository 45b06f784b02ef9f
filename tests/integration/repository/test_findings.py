"""The tools behind docs/findings.md: causes of violations, and the workaround for Keras."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from impl.variants import VARIANTS

TOOLS = Path(__file__).parents[3] / "tools" / "docs"


def test_every_script_of_a_finding_belongs_to_a_cause():
    """docs/findings has a script for each cause, and none for withdrawn ones."""
    causes = runpy.run_path(str(TOOLS / "causes.py"))["CAUSES"]
    scripts = {script.stem for script in (TOOLS.parents[1] / "docs" / "findings").glob("*.py")}
    assert scripts == {cause.script for cause in causes}


@pytest.mark.parametrize("requirement", ["BN-ND-1", "BN-MASK-1", "BN-MASK-2", "BN-MASK-3"])
def test_a_layer_that_conforms_still_conforms_with_the_workaround(requirement):
    """Computing a single feature as one of two removes mistakes, and adds none."""
    workaround = runpy.run_path(str(TOOLS / "keras_workaround.py"))
    correct = workaround["without_single_features"](VARIANTS["wide"])
    verdict = judge_requirement(REQUIREMENTS[requirement], Subject(correct), budget())
    assert verdict.outcome is Outcome.CONFORMS, verdict.violation
