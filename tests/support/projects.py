"""Projects of users, with settings of their own, in which pytest is run."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from conformance.report.model import SCHEMA

TESTS = Path(__file__).parents[1]

NORMS = f"""
import sys
sys.path.append({str(TESTS)!r})
from support.numpy_norm import NumpyNorm, SwappedMomentum, implementation

right = implementation(NumpyNorm)
swapped = implementation(SwappedMomentum)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory with a right and a wrong layer, neither of which needs a framework."""
    (pytester.path / "norms.py").write_text(NORMS, encoding="utf-8")
    return pytester


def judge(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest on the requirements, as users do."""
    return project.runpytest_subprocess("--pyargs", "conformance", *arguments)


def read(path: Path) -> dict:
    """Return a report after checking it against the schema."""
    data = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(data, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return data
