"""Runs of the command line on hostile implementations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest

from conformance.report.model import SCHEMA

TESTS = Path(__file__).parents[1]
GOOD = "support.hostile.good:layer"


def conformance(*arguments: str, cwd: Path, path: Path = TESTS) -> subprocess.CompletedProcess[str]:
    """Run the command line as users do; 300 s are more than any may take, on a busy machine too."""
    search_path = os.pathsep.join([str(path), str(TESTS), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"COLUMNS": "80", "PYTHONPATH": search_path},
    )


def run_and_check(names: list[str], cwd: Path, *options: str) -> tuple[int, dict, str]:
    """Return exit code, report and text of a run; the report is valid and complete."""
    done = conformance(
        "run", *names, "-j1", "--max-examples=3", "--call-timeout=4", "--memory-limit=2",
        "--no-diagnosis", "--report=report.json", "--junit=junit.xml", *options, cwd=cwd,
    )  # fmt: skip
    assert (cwd / "report.json").exists(), done.stdout + done.stderr
    data = json.loads((cwd / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert data["footer"]["complete"]
    assert data["footer"]["exit_code"] == done.returncode
    assert "Traceback" not in done.stdout + done.stderr
    ET.parse(cwd / "junit.xml")
    return done.returncode, data, done.stdout


def verdicts_on(report: dict, name: str) -> list[dict]:
    """Return the verdicts on one implementation, without how long they took."""
    return [v | {"seconds": 0} for v in report["verdicts"] if v["implementation"] == name]


@pytest.fixture(scope="session")
def alone(tmp_path_factory) -> list[dict]:
    """The verdicts on the good layer when it is judged alone."""
    code, report, _ = run_and_check([GOOD], tmp_path_factory.mktemp("alone"), "-k", "EVAL-1")
    assert code == 0
    return verdicts_on(report, GOOD)
