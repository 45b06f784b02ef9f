"""Replaying violations: the command, and scripts without the suite."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.sampling import exhaustive

from conformance.frontends.cli import main

_LAYER = """
import jax.numpy as jnp
from flax import nnx


class Norm(nnx.Module):
    def __init__(self, d, momentum, eps, rngs):
        self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
        self.running_mean, self.running_var = nnx.Variable(jnp.zeros(d)), nnx.Variable(jnp.ones(d))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x, use_running_average):
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var, m = x.mean(axis=0), x.var(axis=0), self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * VAR
        return self.gamma[...] * (x - mean) / ROOT + self.beta[...]
"""
_RIGHT = {"VAR": "var", "ROOT": "jnp.sqrt(var + self.eps)"}
_WRONG = {"VAR": "x.var(axis=0, ddof=x.shape[0] > 1)", "ROOT": "(jnp.sqrt(var) + self.eps)"}


def write_layer(place: Path, **parts: str) -> None:
    """Write the layer with the given parts."""
    text = _LAYER
    for name, code in parts.items():
        text = text.replace(name, code)
    (place / "norm.py").write_text(text, encoding="utf-8")


def conformance(*arguments: str) -> Any:
    """Run a command in this process."""
    return CliRunner().invoke(main, list(arguments))


def judge_wrong_layer(
    place: Path, monkeypatch: pytest.MonkeyPatch, patterns: str
) -> dict[str, Any]:
    """Judge a wrong layer in a separate directory and return the report."""
    write_layer(place, **_WRONG)
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    command = [sys.executable, "-m", "conformance", "run", "norm.py:Norm", "-j", "1"]
    command += ["-k", patterns, "--no-diagnosis", "--report", "r.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    data: dict[str, Any] = json.loads(Path("r.json").read_text(encoding="utf-8"))
    return data


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A report with several violations, in the directory of the layer."""
    return judge_wrong_layer(tmp_path, monkeypatch, "EPS-1,EMA-2,STATE-5,SER-2,TRAIN-5")


@pytest.fixture
def one_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A report with one violation, which costs less."""
    return judge_wrong_layer(tmp_path, monkeypatch, "EMA-2")


@exhaustive
def test_violations_are_replayed_and_scripted(report: dict[str, Any], tmp_path: Path):
    """A violation comes back with its id, from the store and the report, until it is fixed."""
    ids = {
        verdict["requirement"]: verdict["violation"]["id"]
        for verdict in report["verdicts"]
        if verdict["violation"]
    }
    assert {"BN-EPS-1", "BN-EMA-2"} <= set(ids)
    for arguments in ((ids["BN-EPS-1"],), (ids["BN-EMA-2"], "--report", "r.json")):
        again = conformance("replay", *arguments)
        assert again.exit_code == 1, again.output
        assert f"conformance replay {arguments[0]}" in again.output
    for name in ("BN-EPS-1", "BN-EMA-2"):
        made = conformance("replay", ids[name], "--script", f"{name}.py")
        assert made.exit_code == 0, made.output
        assert "conformance" not in Path(f"{name}.py").read_text(encoding="utf-8")
        assert run_script(name) == 1

    write_layer(tmp_path, **_RIGHT)
    fixed = conformance("replay", ids["BN-EPS-1"])
    assert fixed.exit_code == 0
    assert "does not occur any more" in fixed.output
    assert [run_script(name) for name in ("BN-EPS-1", "BN-EMA-2")] == [0, 0]
    (tmp_path / "norm.py").unlink()
    assert run_script("BN-EPS-1") == 125


@exhaustive
def test_an_id_of_two_projects(one_violation: dict[str, Any], tmp_path: Path):
    """Names are resolved in the directory of the original run; files go to the current one."""
    verdict = next(v for v in one_violation["verdicts"] if v["requirement"] == "BN-EMA-2")
    name = verdict["violation"]["id"]
    other = tmp_path / "two" / "other.py"
    other.parent.mkdir()
    other.write_text((tmp_path / "norm.py").read_text(encoding="utf-8"), encoding="utf-8")
    kept = {
        "verdict": verdict | {"implementation": "other.py:Norm"},
        "directory": str(other.parent),
    }
    store = tmp_path / "cache" / "batchnorm-conformance" / "violations"
    (store / "other.json").write_text(json.dumps(kept), encoding="utf-8")
    (tmp_path / "bug.py").write_text("precious", encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with contextlib.chdir(elsewhere):
        again = conformance("replay", name)
        assert again.exit_code == 1, again.output
        assert {"norm.py:Norm · MUST · violates", "other.py:Norm · MUST · violates"} <= set(
            map(str.strip, again.output.splitlines())
        )
        refused = conformance("replay", name, "--script", "bug.py")
        assert refused.exit_code == 2
        assert "was found with" in refused.output
        write_layer(elsewhere, **_WRONG)
        made = conformance("replay", name, "--script", "bug.py", "--impl", "norm.py:Norm")
        assert made.exit_code == 0, made.output
        assert run_script("bug") == 1
        write_layer(elsewhere, **_RIGHT)
        assert conformance("replay", name, "--impl", "norm.py:Norm").exit_code == 0
    assert (tmp_path / "bug.py").read_text(encoding="utf-8") == "precious"


def test_an_unreadable_case_accuses_nobody(one_violation: dict[str, Any]):
    """A report whose values were edited is the reader's error, not the layer's."""
    verdict = next(v for v in one_violation["verdicts"] if v["violation"])
    verdict["violation"]["values"] = {"case": {"$": "Nope"}}
    Path("r.json").write_text(json.dumps(one_violation), encoding="utf-8")
    again = conformance("replay", verdict["violation"]["id"], "--report", "r.json")
    assert again.exit_code == 2
    assert "the stored case cannot be read" in again.output


def test_a_layer_that_cannot_be_looked_at(one_violation: dict[str, Any]):
    """A process that dies while the class is looked at is one clear error; nothing is written."""
    verdict = next(v for v in one_violation["verdicts"] if v["violation"])
    Path("dying.py").write_text(
        "import os, sys\nfrom impl import reference\nfrom dataclasses import replace\n"
        "class Dying(type):\n    @property\n    def __module__(cls):\n"
        "        if 'mining' in sys._getframe(1).f_code.co_filename: return 'builtins'\n"
        "        os._exit(3)\n"
        "class Norm(metaclass=Dying): pass\n"
        "made = reference()\n"
        "layer = replace(made, construction=replace(made.construction, module=Norm))\n",
        encoding="utf-8",
    )
    arguments = (verdict["violation"]["id"], "--impl", "dying.py:layer", "--script", "bug.py")
    refused = conformance("replay", *arguments)
    assert refused.exit_code == 2
    assert "cannot be inspected: the process ended with exit code 3" in refused.output
    assert not Path("bug.py").exists()


def run_script(name: str) -> int:
    """Return the exit code of a script."""
    return subprocess.run(
        [sys.executable, f"{name}.py"], capture_output=True, check=False
    ).returncode


def test_what_cannot_be_replayed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An id that is not known, and a report that cannot be read, are usage errors."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    unknown = conformance("replay", "eps1-000000")
    assert unknown.exit_code == 2
    assert "is not among the violations of recent runs" in unknown.output
    (tmp_path / "r.json").write_text("{", encoding="utf-8")
    unreadable = conformance("replay", "eps1-000000", "--report", str(tmp_path / "r.json"))
    assert unreadable.exit_code == 2
    assert "is not a report" in unreadable.output
