"""A requirement is a row, a property and a fault: everything else follows, the script too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.sampling import exhaustive
from support.suite_copies import copy_suite, variables_of

TESTS = Path(__file__).parent.parent.parent

ROW = """    Requirement(
        id="BN-SIGN-1",
        statement="Negating the batch and the running mean negates the new running mean.",
        formula="rm'(−x; −rm) = −rm'(x; rm)",
        why="A mean has a sign.",
        mistakes=("the size of the mean is stored",),
        grounds="mathematics: the mean of −x is −mean(x)",
        source="follows from BN-EMA-1",
    ),
)
"""

PROPERTY = '''

@requirement("BN-SIGN-1", share=0.4, case=cases)
def negation_goes_through(subject: Subject, case: Case) -> Iterator[None]:
    """rm'(−x; −rm) = −rm'(x; rm)"""
    layer, before, x = subject.start(case)
    layer.train(x)
    after = layer.state
    other = subject.build(case.config, before.replace(running_mean=-before.running_mean))
    other.train(subject.input(case.with_x(-case.x)))
    negated = other.state
    yield

    bound = bounds.train(case.config, before, case.x, subject.conventions).running_mean
    got, expected = negated.running_mean, -after.running_mean
    check_within("running_mean of the negated batch", got, expected, bound + bound)
'''

FAULT = '''"""A mistake that the new requirement is about."""

import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("mean-without-sign", "BN-SIGN-1", "BN-EMA-1")
class MeanWithoutSign(StepwiseBatchNorm):
    """The size of the mean of a batch is stored."""

    def moved(self, old: Array, new: Array) -> Array:
        return super().moved(old, jnp.abs(new))
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with one more requirement, written in three places."""
    folder = copy_suite(tmp_path_factory.mktemp("copy"))
    rows = folder / "conformance/requirements/running_stats.py"
    text = rows.read_text(encoding="utf-8")
    assert text.endswith("    ),\n)\n")
    rows.write_text(text.removesuffix(")\n") + ROW, encoding="utf-8")
    properties = folder / "conformance/properties/running_stats.py"
    text = properties.read_text(encoding="utf-8")
    properties.write_text(text + PROPERTY, encoding="utf-8")
    (folder / "impl/faulty/added.py").write_text(FAULT, encoding="utf-8")
    return folder


def run_python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the copy is imported."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=os.environ | variables_of(copy),
        capture_output=True,
        text=True,
        check=False,
    )


@exhaustive
def test_the_checks_of_the_suite_accept_the_new_requirement(copy: Path):
    """Rows, properties and faults are consistent."""
    checks = (TESTS / "unit/requirements/test_requirements.py", TESTS / "gallery/test_faults.py")
    chosen = "requirement or ids or rows or properties or MeanWithoutSign"
    options = ("-q", "-p", "no:cacheprovider", "-k", f"({chosen}) and not judged")
    found = run_python(copy, "-m", "pytest", *options, *map(str, checks))
    assert found.returncode == 0, found.stdout[-3000:]


def test_the_new_requirement_has_a_script(copy: Path):
    """It is judged, and the script of its violation is written from what the property did."""
    layer, report = "fault:mean-without-sign", copy / "r.json"
    judging = ("run", layer, "-kBN-SIGN-1", "-j1", "--profile=quick", "--no-diagnosis", "--strict")
    judged = run_python(copy, "-m", "conformance", *judging, f"--report={report}")
    assert judged.returncode == 1, judged.stdout + judged.stderr
    (verdict,) = json.loads(report.read_text(encoding="utf-8"))["verdicts"]
    assert verdict["requirement"] == "BN-SIGN-1"
    identity, script = verdict["violation"]["id"], copy / "bug.py"
    replaying = ("replay", identity, "--report", str(report), "--script", str(script))
    written = run_python(copy, "-m", "conformance", *replaying)
    assert written.returncode == 0, written.stdout + written.stderr

    assert run_python(copy, str(script)).returncode == 1
    fault = copy / "impl/faulty/added.py"
    fault.write_text(FAULT.replace("jnp.abs(new)", "jnp.asarray(new)"), encoding="utf-8")
    assert run_python(copy, str(script)).returncode == 0
