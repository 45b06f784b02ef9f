"""Test vectors: the file, and runners in other languages that judge by it."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from support.float32_algorithms import STABLE, F, direct

from conformance.frontends.cli import main
from conformance.report.model import VECTORS_SCHEMA
from conformance.report.vectors import as_json, vectors

RUNNERS = Path(__file__).parents[3] / "docs" / "vectors"


@cache
def document(seed: int = 0, cases: int = 25) -> str:
    return as_json(vectors(seed, cases, "0"))


def test_the_file_follows_its_schema():
    """Every class has as many vectors as asked for."""
    found = json.loads(document())
    jsonschema.validate(found, json.loads(VECTORS_SCHEMA.read_text("utf-8")))
    assert {name: len(group) for name, group in found["classes"].items()} == dict.fromkeys(
        ("function", "step", "gradients", "sequences"), 25
    )


def test_a_seed_stands_for_a_file():
    assert document() == as_json(vectors(0, 25, "0"))
    assert document() != document(1)


def numbers(texts: list[str]) -> np.ndarray:
    return np.array([float.fromhex(text) for text in texts])


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("computed", STABLE, ids=lambda f: f.__name__)
def test_no_correct_algorithm_is_outside(computed, seed: int):
    """Calls one after the other in float32: two passes, Welford, pairwise, shifted, …"""
    classes = json.loads(document(seed))["classes"]
    for vector in classes["function"] + classes["step"] + classes["sequences"]:
        state = {name: numbers(values).astype(F) for name, values in vector["state"].items()}
        m, eps = (F(float.fromhex(vector[name])) for name in ("momentum", "eps"))
        for call in vector["calls"]:
            x = numbers(call["x"]).astype(F).reshape(call["rows"], -1)
            mean, var = state["running_mean"], state["running_var"]
            if float.fromhex(call["flag"]) < 0.5:
                mean, var = computed(x)
                for name, new in (("running_mean", mean), ("running_var", var)):
                    state[name] = m * state[name] + (F(1) - m) * new
            y = direct(x, mean, F(1) / np.sqrt(var + eps), state["gamma"], state["beta"])
            for name, expected in call["expected"].items():
                got = (y if name == "y" else state[name]).ravel().astype(np.float64)
                error = np.abs(got - numbers(expected["value"]))
                assert (error <= numbers(expected["error"])).all(), (vector["name"], name)


def test_the_command_writes_them(tmp_path):
    file = tmp_path / "vectors.json"
    done = CliRunner().invoke(main, ["vectors", str(file), "--cases", "25"])
    assert (done.exit_code, "100 vectors" in done.output) == (0, True)
    assert json.loads(file.read_text("utf-8"))["classes"] == json.loads(document())["classes"]


def test_more_than_five_megabytes_are_refused(tmp_path):
    done = CliRunner().invoke(main, ["vectors", str(tmp_path / "v.json"), "--cases", "400"])
    assert done.exit_code == 2
    assert "at most 5 are written; try" in done.output
    assert not (tmp_path / "v.json").exists()
    for file, message in (
        (tmp_path, "is a directory"),
        ("/proc/v.json", "FILE '/proc/v.json': cannot"),
    ):
        done = CliRunner().invoke(main, ["vectors", str(file)])
        assert (done.exit_code, message in done.output) == (2, True), done.output


def test_the_schema_is_printed():
    done = CliRunner().invoke(main, ["schema", "--vectors"])
    assert done.output == VECTORS_SCHEMA.read_text("utf-8")
    assert CliRunner().invoke(main, ["schema", "--vectors", "--grade"]).exit_code == 2


LANGUAGES = {
    "c++": ("g++", "runner.cpp", "batch_norm.hpp"),
    "js": ("node", "runner.mjs", "batch_norm.mjs"),
}
MISTAKES = {
    "none": ("", "", ""),
    "unbiased": ("c++", "var = squares / rows", "var = squares / (rows > 1 ? rows - 1 : 1)"),
    "momentum reversed": (
        "c++",
        "layer.momentum * layer.running_mean[d] + (1 - layer.momentum) * mean",
        "layer.momentum * mean + (1 - layer.momentum) * layer.running_mean[d]",
    ),
    "eps outside": (
        "js",
        "f(1 / f(Math.sqrt(f(variance + eps))))",
        "f(1 / f(Math.sqrt(variance) + eps))",
    ),
    "mean of the cotangent left out": (
        "js",
        "f(dbeta[d] + f(z(i) * dgamma[d]))",
        "f(z(i) * dgamma[d])",
    ),
    "truthy flag": ("js", "flag >= 0.5", "flag !== 0"),
}
VIOLATED = {
    "unbiased": "BN-EMA-2",
    "momentum reversed": "BN-EMA-1",
    "eps outside": "BN-",
    "mean of the cotangent left out": "BN-GRAD-3",
    "truthy flag": "BN-FLAG-2",
}


def judge(tmp_path: Path, language: str, mistake: str) -> subprocess.CompletedProcess[str]:
    """Return what the runner of a language says about its implementation with a mistake."""
    tool, runner, implementation = LANGUAGES[language]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    for name in (runner, implementation):
        shutil.copy(RUNNERS / name, tmp_path)
    _, old, new = MISTAKES[mistake]
    source = (tmp_path / implementation).read_text("utf-8")
    assert old in source
    (tmp_path / implementation).write_text(source.replace(old, new) if old else source, "utf-8")
    (tmp_path / "vectors.json").write_text(document(), "utf-8")
    command = ["node", runner]
    if language == "c++":
        subprocess.run(["g++", "-std=c++17", runner, "-o", "runner"], cwd=tmp_path, check=True)
        command = ["./runner"]
    return subprocess.run(
        [*command, "vectors.json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_runner_finds_its_implementation_right(language: str, tmp_path):
    done = judge(tmp_path, language, "none")
    compared = int(done.stdout.split()[0])
    assert done.returncode == 0, done.stdout
    assert "numbers compared, 0 requirements are violated" in done.stdout
    assert compared > 5000


@pytest.mark.parametrize("mistake", VIOLATED)
def test_a_runner_finds_a_mistake(mistake: str, tmp_path):
    done = judge(tmp_path, MISTAKES[mistake][0], mistake)
    assert done.returncode == 1
    assert VIOLATED[mistake] in done.stdout


@pytest.mark.parametrize("runner", ["runner.cpp", "runner.mjs"])
def test_a_runner_is_short(runner: str):
    assert len((RUNNERS / runner).read_text("utf-8").splitlines()) <= 80
