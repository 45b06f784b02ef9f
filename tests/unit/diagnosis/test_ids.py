"""A mistake has one id: the fault's name in the gallery is the alternative's in a diagnosis."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.sampling import exhaustive
from support.suite_copies import copy_suite

from conformance.diagnosis.fault_models import ALTERNATIVES
from impl.faulty import FAULTS
from impl.faulty.record import fault
from impl.stepwise import StepwiseBatchNorm

FACTS = {"input-changed", "raises", "stored-dtype", "varies"}
"""What a diagnosis of kind "observed" names."""

NEW_FAULT = '''
"""Faults that are added for a test."""

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("gamma-cubed", "BN-AFF-1")
class GammaCubed(StepwiseBatchNorm):
    """γ is applied three times."""

    def affine(self, z: Array) -> Array:
        return self.gamma[...] ** 3 * z + self.beta[...]
'''

NEW_ALTERNATIVE = '''
"""Alternatives that are added for a test."""

from conformance.diagnosis.fault_model import alternative

alternative(
    "gamma-cubed",
    "γ is applied three times",
    "y = γ³·z + β",
    scale=lambda m: m.gamma * m.gamma * m.gamma,
)
'''

NAMED = """
from conformance.diagnosis import diagnose
from impl.faulty import FAULTS
print(diagnose(FAULTS["gamma-cubed"].implementation).id)
"""


def test_every_right_answer_is_an_alternative_or_a_fact():
    """A record names only answers that a diagnosis can have."""
    answers = {answer.partition("@")[0] for f in FAULTS.values() for answer in f.diagnosed}

    assert answers
    assert answers <= {*ALTERNATIVES, *FACTS}


def test_an_alternative_with_the_name_of_a_fault_is_its_mistake():
    """One id does not stand for two mistakes, and a record repeats no name."""
    shared = [found for name, found in FAULTS.items() if name in ALTERNATIVES]
    for each in shared:
        answers = each.named_by(ALTERNATIVES)
        assert each.name in {answer.partition("@")[0] for answer in answers}, each.name
        assert each.diagnosed != (each.name,), each.name

    assert len(shared) > 100


def test_a_fault_breaks_requirements_that_exist():
    """A misspelt requirement is refused where it is written, and not judged as nothing."""
    with pytest.raises(ValueError, match="'odd' breaks BN-AFFINE-1: there is no such"):

        @fault("odd", "BN-AFFINE-1")
        class Misspelt(StepwiseBatchNorm):
            """Breaks nothing that is known."""


def copy_with(folder: Path, added: dict[str, str]) -> dict[str, str]:
    """Copy both packages, add files, and return the environment in which they are imported."""
    copy_suite(folder)
    for path, text in added.items():
        (folder / path).write_text(text.lstrip(), encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(folder)}


@exhaustive
def test_a_fault_and_its_alternative_are_one_file_each(tmp_path: Path):
    """With one new module in each package, the diagnosis names the new fault."""
    added = {
        "impl/faulty/added.py": NEW_FAULT,
        "conformance/diagnosis/fault_models/added.py": NEW_ALTERNATIVE,
    }
    environment = copy_with(tmp_path, added)
    commands = (
        [sys.executable, "-c", NAMED],
        [sys.executable, "-m", "conformance", "faults", "gamma-cubed", "-j", "1"],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "right"],
    )
    named, judged, consistent = (
        subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )
        for command in commands
    )

    assert named.stdout.strip() == "gamma-cubed", named.stderr
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "1 of 1 faults are caught" in judged.stdout
    assert consistent.returncode == 0, consistent.stdout
