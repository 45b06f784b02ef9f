"""``--format``: standard output is the document, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from support.command_line import conformance


def test_standard_output_is_the_document(tmp_path: Path):
    """With the exit code of the run; what else is said goes to standard error."""
    done = conformance(
        "run", "fault:eps-outside", "-k", "EPS-1", "--format", "sarif", "-x", cwd=tmp_path
    )

    assert done.returncode == 1
    (run,) = json.loads(done.stdout)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["BN-EPS-1"]
    assert "BN-EPS-1" in done.stderr  # -x prints the violation at once


def test_formats_exclude_other_outputs(tmp_path: Path):
    """Before anything is judged."""
    done = conformance("run", "impl", "--format", "json", "-v", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "--format json excludes --verbose and --quiet" in done.stderr
