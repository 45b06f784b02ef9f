"""Files are written atomically, and no other file is replaced."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from support.example_reports import EVERY, report
from support.refusing import expect_refusal

from conformance.report.atomic_files import write_text


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path):
    """Devices, too, such as /dev/stdout: to replace them would be to destroy them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_text(pipe, "text\n")
    reader.join(timeout=30)
    assert read == ["text\n"]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_link_stays_a_link(tmp_path: Path):
    """What it leads to is replaced."""
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.parametrize("text", ["\ud800", "new"], ids=["no UTF-8", "a full disk"])
def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch, text: str):
    """Neither a draft nor half a file."""
    (tmp_path / "file").write_text("old")

    def raise_disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", raise_disk_full)
    with pytest.raises((OSError, UnicodeError)):
        write_text(tmp_path / "file", text)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_a_disk_that_is_full_is_one_error(place, monkeypatch):
    """It is found only when the file is written, after everything else."""
    report(*EVERY).write(place / "r.json")

    def raise_disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", raise_disk_full)
    output = expect_refusal(place, "report", "r.json", "--html", "r.html")
    assert "--html r.html cannot be written: No space left on device. Name another file." in output
