"""The sample of the default run and the rest are everything, and no family is without a sample."""

from __future__ import annotations

import tomllib
from pathlib import Path

from support.sampling import sample_parameters

from impl.faulty import FAULTS

ROOT = Path(__file__).parents[2]
NAMES = ("a1", "a2", "a3", "b1", "b2", "c1")


def names_and_marks(names: object, every: int) -> list[tuple[str, bool]]:
    """Return each parameter's name, and whether it is outside the sample."""
    parameters = sample_parameters(names, group=lambda name: name[0], every=every)
    return [(each.values[0], bool(each.marks)) for each in parameters]


def test_every_name_is_a_parameter_once_and_in_order():
    """The sample and the rest together are all names."""
    assert [name for name, _ in names_and_marks(NAMES, every=4)] == list(NAMES)


def test_the_sample_has_the_first_of_each_group_and_every_nth():
    """b2 is the fifth name; the others lead their groups."""
    marks = names_and_marks(NAMES, every=4)
    assert [name for name, outside in marks if not outside] == ["a1", "b1", "b2", "c1"]


def test_every_family_of_faults_is_in_the_sample():
    """The gallery's sample is a fraction of it, and leaves out no family."""
    parameters = sample_parameters(
        FAULTS, group=lambda name: FAULTS[name].family, every=len(FAULTS)
    )
    sample = {each.values[0] for each in parameters if not each.marks}
    assert {FAULTS[name].family for name in sample} == {each.family for each in FAULTS.values()}
    assert len(sample) < len(FAULTS) / 4


def test_the_steps_of_ci_select_complementary_tests():
    """By default all but the marked tests run; the second step of .ci/run runs just those."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    options = settings["tool"]["pytest"]["ini_options"]["addopts"]
    assert options[options.index("-m") + 1] == "not exhaustive"
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert steps[-1] == ".venv/bin/pytest -n auto -m exhaustive"
