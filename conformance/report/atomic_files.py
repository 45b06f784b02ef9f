"""Writing files atomically."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def why_unwritable(path: Path) -> str:
    """Return why a file could not be written, without writing it; empty if it could."""
    place = path.absolute().parent
    try:
        if path.is_dir():
            return "it is a directory"
        while not place.exists():
            place = place.parent
        with tempfile.TemporaryFile(dir=place):
            return ""
    except (OSError, ValueError) as error:
        return str(error.strerror if isinstance(error, OSError) else error)


def is_replaceable(path: Path) -> bool:
    """Whether a path is a regular file or free; a pipe or a device can only be written to."""
    return path.is_file() or not path.exists()


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: readers see either the old file or the complete new one.

    Pipes and devices, such as ``/dev/stdout``, are written to instead of replaced. Symbolic
    links are followed.

    Raises:
        OSError, UnicodeError: The file cannot be written; an existing file is unchanged.
    """
    if not is_replaceable(path):
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".conformance-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as draft:
            draft.write(text)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:  # a full disk, surrogates, Ctrl-C: leave no temporary file
        temporary.unlink()
        raise
