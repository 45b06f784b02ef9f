"""What was found by the strict reading of a declared layer is replayed by it, too."""

from __future__ import annotations

import json
import re

import pytest
from support.command_line import conformance
from support.sampling import exhaustive


@pytest.fixture
def home(tmp_path_factory):
    return {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


@exhaustive
def test_a_violation_without_declarations_is_replayed_without_them(tmp_path, home):
    """From the recent runs and from the report; the command that is printed repeats it."""
    command = ("run", "flax-default", "--ignore-declarations", "-k", "NUM-1", "--no-diagnosis")
    done = conformance(*command, "--report", "r.json", cwd=tmp_path, **home)

    assert done.returncode == 1
    assert "-k BN-NUM-1 --ignore-declarations" in done.stdout
    assert json.loads((tmp_path / "r.json").read_text())["header"]["strict_reading"] is True
    (identity,) = re.findall(r"conformance replay (\S+)", done.stdout)
    assert conformance("replay", identity, cwd=tmp_path, **home).returncode == 1
    replayed = conformance("replay", identity, "--report", "r.json", cwd=tmp_path, **home)
    assert (replayed.returncode, "BN-NUM-1" in replayed.stdout) == (1, True)


@exhaustive
def test_runs_by_declarations_say_nothing_of_it(tmp_path, home):
    """The header has the word only where it is true, and reports without it can be read."""
    conformance("run", "impl", "-k", "EPS", "--report", "r.json", cwd=tmp_path, **home)

    assert "strict_reading" not in json.loads((tmp_path / "r.json").read_text())["header"]
    assert conformance("report", "r.json", cwd=tmp_path, **home).returncode == 0
