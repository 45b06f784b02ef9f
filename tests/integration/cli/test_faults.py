"""The command `conformance faults`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.command_line import conformance
from support.sampling import exhaustive

from conformance.adapters.gallery import find_galleries
from impl.faulty import FAULTS

NAME = "eps-outside"


def faults(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return conformance("faults", *arguments, cwd=cwd)


def test_a_file_of_something_else_is_no_journal(tmp_path: Path):
    """Nothing is judged, and nothing is appended to a file that has no verdicts."""
    notes = tmp_path / "notes.txt"
    notes.write_bytes(b"bread\nmilk \xff\n")
    done = faults("eps-*", "--resume", str(notes), cwd=tmp_path)

    assert done.returncode == 2
    assert "holds no verdicts: --resume takes a file that" in " ".join(done.stderr.split())
    assert notes.read_bytes() == b"bread\nmilk \xff\n"


@exhaustive
def test_faults_are_shown_to_be_caught(tmp_path: Path):
    """The command prints a table by family and the sum, writes the matrix, and ends with 0."""
    journal, target = tmp_path / "journal.jsonl", tmp_path / "matrix.json"
    options = ("eps-*", "-j", "1", "--resume", str(journal), "--matrix", str(target))
    first = faults(*options, cwd=tmp_path)
    lines = len(journal.read_text().splitlines())
    again = faults(*options, cwd=tmp_path)

    chosen = [name for name in FAULTS if name.startswith("eps-")]
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"{len(chosen)} of {len(chosen)} faults are caught" in first.stdout
    assert max(map(len, first.stdout.splitlines())) <= 80
    assert again.returncode == 0
    assert len(journal.read_text().splitlines()) == lines  # nothing was judged again
    data = json.loads(target.read_text())
    assert set(data["faults"]) == set(chosen)
    assert data["faults"][NAME]["violates"]


def test_an_unknown_pattern_is_a_usage_error(tmp_path: Path):
    """The message names the families there are."""
    done = faults("no-such-*", cwd=tmp_path)

    assert done.returncode == 2
    assert "no fault is named no-such-*; the families are affine" in done.stderr


def test_an_unknown_gallery_is_a_usage_error(tmp_path: Path):
    """So is a gallery that holds no faults."""
    unknown = faults("--gallery", "zoo", cwd=tmp_path).stderr
    assert f"there are {', '.join(find_galleries())}" in unknown
    assert "holds no records of faults" in faults("--gallery", "variant", cwd=tmp_path).stderr
