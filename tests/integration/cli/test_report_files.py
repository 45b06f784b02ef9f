"""Report files of runs: refused runs leave the old ones, and a pipe gets one report."""

from __future__ import annotations

from pathlib import Path

from support.command_line import conformance
from support.sampling import exhaustive


def test_a_run_that_is_refused_overwrites_nothing(tmp_path: Path):
    """Nor does pytest, which writes JUnit XML whatever happened."""
    for name in ("r.json", "j.xml"):
        (tmp_path / name).write_text("old")
    names = ("nowhere:norm", "-k", "EMA-1", "-j1", "--report", "r.json", "--junit", "j.xml")
    done = conformance("run", *names, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert (tmp_path / "r.json").read_text() == (tmp_path / "j.xml").read_text() == "old"


@exhaustive
def test_a_report_to_a_pipe_is_written_once(tmp_path: Path):
    """Elsewhere it is written again, when the mistake is known."""
    run = ("run", "fault:eps-outside", "-k", "EPS-1", "--max-examples", "5", "-j1", "--no-color")
    done = conformance(*run, "--report", "/dev/stderr", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.count('"format": "batchnorm-conformance-report"') == 1
    assert '"diagnoses": {\n  "fault:eps-outside"' in done.stderr
