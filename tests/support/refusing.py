"""Commands that have to refuse their arguments or files."""

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


def expect_refusal(place: Path, *arguments: str) -> str:
    """Return the output of a command that must exit with 2, one error, and files unchanged."""
    before = files(place)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    assert "\x1b" not in done.output
    errors = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, done.output
    assert len(errors[0]) < 6000, "the input decides how long the message is"
    assert files(place) == before
    return done.output


def files(place: Path) -> dict[str, tuple[int, bytes]]:
    """Return size and first bytes of each file in a directory."""
    found = {}
    for path in sorted(place.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path)] = path.stat().st_size, file.read(1 << 16)
    return found
