"""Commands that have to refuse what they are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.frontends.cli import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one old file in it, which nothing may touch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.json").write_text("{}", encoding="utf-8")
    return tmp_path


def refused(place: Path, *arguments: str) -> str:
    """Return what a command says that has to end with 2, one error, and all files as before."""
    before = files(place)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    assert "\x1b" not in done.output
    said = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1, done.output
    assert len(said[0]) < 6000, "an adversary decides how much is shown"
    assert files(place) == before
    return done.output


def files(place: Path) -> dict[str, tuple[int, bytes]]:
    """Return what lies in a directory: sizes, and the first bytes."""
    found = {}
    for path in sorted(place.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path)] = path.stat().st_size, file.read(1 << 16)
    return found
