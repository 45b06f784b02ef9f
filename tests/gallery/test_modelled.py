"""Alternatives of the diagnosis as a gallery: judged wrong, and diagnosed as themselves."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from support.command_line import conformance
from support.outcomes import outcomes
from support.sampling import exhaustive, sample_parameters

from conformance.adapters.gallery import GROUP
from conformance.diagnosis import diagnose
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.modelled_gallery import MODELLED, NOT_MODELLED
from conformance.diagnosis.modelled_layer import modelled
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from impl.faulty import FAULTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "identity", sample_parameters(MODELLED, group=lambda _: "modelled", every=150)
)
def test_an_alternative_is_judged_wrong_and_diagnosed_as_itself(identity: str):
    """The layer violates what its record names, and the diagnosis names the mistake."""
    record = MODELLED[identity]
    subject = Subject(record.implementation)

    assert outcomes(subject, record.breaks) == [Outcome.VIOLATES] * len(record.breaks)
    assert diagnose(modelled(identity)).id in record.diagnosed  # that has no memory of the verdict


def test_every_alternative_is_modelled_or_has_a_reason():
    """An alternative that calls cannot show is named, with the reason."""
    assert MODELLED.keys() | NOT_MODELLED.keys() == ALTERNATIVES.keys()
    assert not MODELLED.keys() & NOT_MODELLED.keys()
    assert {name for name, why in NOT_MODELLED.items() if "gradients" in why} == {
        a.id for a in ALTERNATIVES.values() if a.backward
    }


def test_records_name_requirements_and_alternatives_that_exist():
    """Every requirement of a record is in the table, and every diagnosis is one that exists."""
    for identity, record in MODELLED.items():
        assert record.breaks, identity
        assert set(record.breaks) <= set(REQUIREMENTS), identity
        assert set(record.diagnosed) <= {*ALTERNATIVES, "input-changed"}, identity
        assert "{c}" not in record.sentence, identity


def test_the_gallery_is_registered():
    """The entry point resolves to the records."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    value = project["entry-points"][GROUP]["modelled"]

    assert EntryPoint("modelled", value, GROUP).load() is MODELLED


@exhaustive
def test_the_command_judges_a_family(tmp_path: Path):
    """``faults --gallery modelled`` judges a family, and ``run`` a member."""
    done = conformance("faults", "--gallery", "modelled", "rooting", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "34 of 34 faults are caught; 34 of 34 listed pairs are violated." in done.stdout

    done = conformance("run", "modelled:eps-outside", "-k", "EPS-1", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ε is added outside the root" in done.stdout


def test_both_galleries_have_the_mistake_under_one_id():
    """A fault and a modelled alternative of one name are both caught by some requirement."""
    shared = FAULTS.keys() & MODELLED.keys()
    assert len(shared) > 90
    subject = Subject(MODELLED["eps-outside"].implementation)
    for row in FAULTS["eps-outside"].breaks:
        verdict = judge_requirement(REQUIREMENTS[row], subject, budget(minimize=False))
        assert verdict.outcome is Outcome.VIOLATES, row
