"""Runs in parts, by the command line."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from support.command_line import conformance as run
from support.sampling import exhaustive

from conformance.report.combining import without_times
from conformance.report.model import Report

NORM = """
import jax.numpy as jnp
from flax import nnx


class Swapped(nnx.BatchNorm):
    def __init__(self, num_features, momentum, epsilon, rngs):
        super().__init__(
            num_features, momentum=1 - momentum, epsilon=epsilon, use_fast_variance=False, rngs=rngs
        )
"""


@exhaustive
def test_shards_combine_to_the_report_of_a_single_run(tmp_path: Path):
    """Run whole and in two parts, verdicts, diagnosis, footer and exit code are the same.

    The parts hash names differently: the order of a set must decide nothing.
    """
    (tmp_path / "norm.py").write_text(NORM, encoding="utf-8")
    summary = tmp_path / "summary.md"
    variables = {"GITHUB_STEP_SUMMARY": str(summary), "PYTHONHASHSEED": "1"}
    conformance = partial(run, cwd=tmp_path, **variables)
    chosen = ("norm.py:Swapped", "impl", "-k", "INIT-1,EMA-1,EMA-2,FWD-1", "--max-examples", "5")
    single = conformance("run", *chosen, "-j1", "--report", "whole.json", PYTHONHASHSEED="0")
    for part in ("1/2", "2/2"):
        files = ("--report", f"{part[0]}.json", "--shard", part)
        done = conformance("run", *chosen, *files, "-j1")
        assert done.returncode in {0, 1}, done.stdout + done.stderr
    joined = conformance("combine", "2.json", "1.json", "-o", "joined.json")

    assert joined.returncode == single.returncode == 1, joined.stdout + joined.stderr
    assert "norm.py:Swapped: fails 2 of 3 requirements (2 MUST)." in joined.stdout
    expected, found = (Report.read(tmp_path / name) for name in ("whole.json", "joined.json"))
    assert without_times(found) == without_times(expected)
    assert expected.diagnoses["norm.py:Swapped"]["id"] == found.diagnoses["norm.py:Swapped"]["id"]
    markdown = summary.read_text("utf-8")
    assert markdown.count("### BatchNorm conformance") == 4
    assert markdown.count("covers only a part: shard") == 2


def test_parts_of_a_random_run_are_refused(tmp_path: Path):
    """Parts would draw seeds of their own: the thorough profile needs one."""
    done = run("run", "impl", "--shard", "1/2", "--profile", "thorough", cwd=tmp_path)
    assert done.returncode == 2
    assert "Give all shards the same --seed N." in " ".join(done.stderr.split())
