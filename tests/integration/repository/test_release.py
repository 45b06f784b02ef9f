"""What is released: the wheel, the types, and what repeats versions and dependencies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from support.command_line import conformance as run_conformance
from support.sampling import exhaustive

import conformance
from conformance.frontends.cli import main

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

PROGRAM = """
from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance import (
    REQUIREMENTS,
    AdapterError,
    Config,
    Deviation,
    Implementation,
    Layer,
    Level,
    conformance_tests,
)


class Mine:
    def __init__(self, config: Config) -> None:
        self.arrays = {"gamma": np.ones(config.features)}

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return x

    def read(self) -> Mapping[str, Any]:
        return self.arrays

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        self.arrays.update(values)


def build(config: Config) -> Layer:
    return Mine(config)


mine = Implementation(
    name="mine", build=build, deviations=frozenset({Deviation.ONE_PASS_VARIANCE})
)
test_mine = conformance_tests(mine, profile="quick")
musts: list[str] = [row.id for row in REQUIREMENTS.values() if row.level is Level.MUST]
try:
    Implementation(name="nothing")
except AdapterError as error:
    print(error)
"""


def check_types(folder: Path, program: str) -> str:
    (folder / "program.py").write_text(program, encoding="utf-8")
    options = ["--strict", "--no-incremental", "--python-executable", sys.executable]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "program.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_program_of_a_user_is_type_checked(tmp_path):
    """The package that is installed has types, and mistakes in a use of it are seen."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    wrong = PROGRAM.replace('name="mine"', 'name=b"mine"').replace("row.id for", "row.level for")
    wrong += 'musts.append(conformance_tests(3))\nConfig(4)\nDeviation("none").nothing\n'
    assert "no issues found" in check_types(tmp_path, PROGRAM)
    found = check_types(tmp_path, wrong)
    kinds = {*re.findall(r"\[([a-z-]+)\]$", found, re.MULTILINE)}
    assert kinds == {"arg-type", "attr-defined", "call-arg", "misc"}
    assert found.count("error:") == 6


def test_versions_and_dependencies_are_the_same_everywhere():
    """Those of the conda recipe and of the citation are those of the project."""
    recipe = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text("utf-8"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert recipe["context"]["version"] == conformance.__version__ == citation["version"]
    assert recipe["about"]["license"] == citation["license"] == PROJECT["license"]
    needed = {each.replace(" ", "") for each in recipe["requirements"]["run"]}
    assert needed == {*PROJECT["dependencies"], f"python{PROJECT['requires-python']}"}


@pytest.mark.parametrize("name", ["false-accusation", "missed-mistake"])
def test_forms_of_issues_follow_their_schema(name):
    """Those for a correct layer that is accused, and for a mistake that is missed."""
    form = ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml"
    schema = ("--builtin-schema", "vendor.github-issue-forms")
    subprocess.run([sys.executable, "-m", "check_jsonschema", *schema, form], check=True)


def test_the_hook_uses_options_that_exist():
    """pre-commit runs it without the names of files."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    command, name, *options = hook["entry"].split()
    run = main.get_command(click.Context(main), name)
    assert command in PROJECT["scripts"]
    assert run is not None
    assert {*options} <= {flag for parameter in run.params for flag in parameter.opts}
    assert hook["pass_filenames"] is False


@exhaustive
def test_the_wheel_of_a_clean_tree_judges(tmp_path):
    """Built from what is committed, and run in one line, in a new environment."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("uv is not installed")
    tree = tmp_path / "tree"
    tree.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
    built = subprocess.run([uv, "build", "--wheel", "--out-dir", tmp_path, tree], check=False)
    if built.returncode != 0:
        pytest.skip("uv cannot build without a package index")
    (wheel,) = tmp_path.glob("*.whl")
    shutil.copy(ROOT / "docs" / "examples" / "my_norm.py", tmp_path)
    command = [uv, "tool", "run", "--from", str(wheel), "conformance"]
    arguments = ["run", "my_norm.py:MyBatchNorm", "-k", "EMA", "--profile", "quick"]
    done = subprocess.run(
        [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "conforms to 8 of 8" in done.stdout


def test_the_example_in_the_documentation_conforms(tmp_path):
    """It is what the workflow of a release judges with the wheel."""
    shutil.copy(ROOT / "docs" / "examples" / "my_norm.py", tmp_path)
    arguments = ("run", "my_norm.py:MyBatchNorm", "--profile", "quick", "-k", "EMA,EPS", "-j", "1")
    assert run_conformance(*arguments, cwd=tmp_path).returncode == 0
