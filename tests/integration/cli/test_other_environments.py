"""A layer is imported in the environment that its name contains, and compared between several."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from support.command_line import conformance
from support.sampling import exhaustive

NORM = """
import jax
import jax.numpy as jnp
from flax import nnx
from only_there import FACTOR


class Norm(nnx.Module):
    def __init__(self, d, momentum, eps, rngs):
        self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
        self.running_mean = nnx.BatchStat(jnp.zeros(d))
        self.running_var = nnx.BatchStat(jnp.ones(d))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x, use_running_average):
        mean, var = self.running_mean[...], self.running_var[...]
        if not use_running_average:
            m, old = self.momentum, (mean, var)
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean[...] = m * old[0] + (1 - m) * jax.lax.stop_gradient(mean)
            self.running_var[...] = m * old[1] + (1 - m) * jax.lax.stop_gradient(var)
        y = self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
        return y * FACTOR
"""


def make_environment(folder: Path, factor: str) -> None:
    """Make a virtual environment with the packages of this one, but not the suite, and a module."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "here.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    (site / "only_there.py").write_text(f"FACTOR = {factor}\n", encoding="utf-8")


def run(folder, *arguments: str, **variables: str):
    command = ("run", *arguments, "--profile", "quick", "--no-diagnosis", "-j", "1")
    return conformance(*command, "--report", "report.json", cwd=folder, **variables)


def test_two_environments_are_compared(tmp_path):
    """What is imported is that of each environment, and the suite needs not be installed there."""
    (tmp_path / "norm.py").write_text(NORM, encoding="utf-8")
    make_environment(tmp_path / "right", "1.0")
    make_environment(tmp_path / "wrong", "1.5")
    (tmp_path / "wrong" / "bin" / "python").rename(tmp_path / "wrong" / "bin" / "other")
    pythons = ("--python", "./right", "--python", "wrong/bin/other")
    done = run(tmp_path, "norm.py:Norm", *pythons, "-k", "TRAIN-1,STATE-1")
    data = json.loads((tmp_path / "report.json").read_text("utf-8"))

    assert done.returncode == 1, done.stderr
    assert "✓ norm.py:Norm@./right: conforms to 2 of 2" in done.stdout
    assert "✗ norm.py:Norm@wrong/bin/other: fails 1 of 2" in done.stdout
    assert "norm.py:Norm with ./right and wrong/bin/other: 1 of 2 requirements" in done.stdout
    outcomes = {"./right": "conforms", "wrong/bin/other": "violates"}
    assert data["environment_differences"] == {"norm.py:Norm": {"BN-TRAIN-1": outcomes}}
    assert data["environments"]["norm.py:Norm@./right"]["python"] == sys.version.split()[0]
    assert "norm.py:Norm@./right: python 3." in done.stdout

    (identity,) = (v["violation"]["id"] for v in data["verdicts"] if v["violation"])
    again = ("replay", identity, "--report", "report.json")
    replayed = conformance(*again, cwd=tmp_path)
    assert "norm.py:Norm@wrong/bin/other" in replayed.stdout, replayed.stderr
    written = conformance(*again, "--script", "script.py", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    script = [tmp_path / "wrong" / "bin" / "other", "script.py"]
    assert subprocess.run(script, cwd=tmp_path, check=False, capture_output=True).returncode == 1
    smoked = conformance("smoke", "norm.py:Norm@./right", cwd=tmp_path)
    assert smoked.returncode == 0, smoked.stderr
    alone = run(tmp_path, "norm.py:Norm")
    assert alone.returncode == 2
    assert "No module named 'only_there'" in alone.stderr


def test_registered_names_mean_the_same_there(tmp_path):
    """The entry points of the suite are found, though it is not installed there."""
    make_environment(tmp_path / "other", "1.0")
    done = run(tmp_path, "flax@./other", "fault:eps-twice@./other", "-k", "EPS-1")
    assert "✓ flax@./other: conforms to 1 of 1" in done.stdout, done.stderr
    assert "✗ fault:eps-twice@./other: fails 1 of 1" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mutate", "flax@{}"), "is edited in the environment of the suite only"),
        (("run", "flax@{}/nowhere"), "there is no interpreter"),
    ],
)
def test_what_is_not_offered_there_is_an_error(tmp_path, arguments, message):
    """It ends with exit code 2 and one sentence."""
    done = conformance(*(each.format(sys.prefix) for each in arguments), cwd=tmp_path)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


@exhaustive
def test_two_versions_of_flax_are_judged_in_one_run(tmp_path):
    """Their environments are made by uv, and kept."""
    if shutil.which("uv") is None and not Path(sys.executable).with_name("uv").exists():
        pytest.skip("uv is not installed")
    done = run(tmp_path, "flax@0.12.1", "flax", "-k", "EMA")
    if "uv cannot install" in done.stderr:
        pytest.skip("uv cannot reach a package index")
    assert done.returncode == 0, done.stderr
    assert "flax 0.12.1" in done.stdout
    assert "flax with 0.12.1 and here:" in done.stdout
