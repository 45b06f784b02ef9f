"""Waivers by the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.sampling import exhaustive

_LAYER = """
import jax.numpy as jnp
from impl.stepwise import StepwiseBatchNorm


class Norm(StepwiseBatchNorm):
    def moved_var(self, old, new):
        return self.moved(old, new * FACTOR)
"""


def run(*arguments: str) -> Any:
    command = [sys.executable, "-m", "conformance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@exhaustive
def test_a_run_with_waivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Judged, waived by its pin, and refused once the layer is fixed."""
    monkeypatch.chdir(tmp_path)
    layer = tmp_path / "norm.py"
    layer.write_text(_LAYER.replace("FACTOR", "2"), encoding="utf-8")
    judging = ("run", "norm.py:Norm", "-k", "EMA-2", "-j", "1", "--no-diagnosis")
    assert run(*judging, "--report", "r.json").returncode == 1
    assert run("waivers", "update", "--report", "r.json").returncode == 0
    refused = run(*judging, "--waivers", "waivers.toml")
    assert refused.returncode == 2
    assert "reason is missing or empty" in refused.stderr
    file = tmp_path / "waivers.toml"
    text = file.read_text(encoding="utf-8").replace('reason = ""', 'reason = "known"')
    file.write_text(text.replace('issue = ""', 'issue = "#1"'), encoding="utf-8")

    again = run(*judging, "--waivers", "waivers.toml", "--report", "w.json")
    assert again.returncode == 0, again.stdout + again.stderr
    (verdict,) = json.loads((tmp_path / "w.json").read_text(encoding="utf-8"))["verdicts"]
    assert (verdict["outcome"], verdict["cases"]) == ("waived", 1)
    assert "pinned" in verdict["detail"]
    assert verdict["cut"] == 0
    assert "norm.py:Norm: conforms to 0 of 1 requirements, 1 waived." in again.stdout
    assert "**waived** | 0/1" in run("report", "w.json").stdout, "such a report can be read"

    text = file.read_text(encoding="utf-8")
    file.write_text(f'{text}diagnosis = "momentum is swapped"\n', encoding="utf-8")
    other = run(*judging[:-1], "--waivers", "waivers.toml")
    assert other.returncode == 2, other.stdout
    assert "expects 'momentum is swapped', but the diagnosis is" in other.stderr
    broken = re.sub("(?m)^pin = .*", """pin = '{"case": {"$": "Nope"}}'""", text)
    file.write_text(broken, encoding="utf-8")
    unread = run(*judging, "--waivers", "waivers.toml")
    assert unread.returncode == 2, "a pin that cannot be read waives nothing"
    assert "the pin of the waiver of BN-EMA-2 for norm.py:Norm" in " ".join(unread.stdout.split())

    file.write_text(text, encoding="utf-8")
    layer.write_text(_LAYER.replace("FACTOR", "1"), encoding="utf-8")
    fixed = run(*judging, "--waivers", "waivers.toml", "--report", "m.json")
    assert fixed.returncode == 2
    assert json.loads((tmp_path / "m.json").read_text("utf-8"))["footer"]["exit_code"] == 2
    assert "is no longer needed" in fixed.stderr
    assert run("waivers", "update", "--report", "r.json").stdout.endswith(
        "0 added, 1 already there.\n"
    )
