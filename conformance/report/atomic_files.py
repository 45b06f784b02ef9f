"""Writing files in one step."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def unwritable(path: Path) -> str:
    """Return why a file cannot be written, or nothing; it is not written yet."""
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


def replaceable(path: Path) -> bool:
    """Whether there is a plain file, or none: anything else can only be written to."""
    return path.is_file() or not path.exists()


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: readers see the old file or the whole new one.

    What is no plain file, such as a pipe or ``/dev/stdout``, is written to, and never replaced;
    of a link it is the file behind it that is replaced.

    Raises:
        OSError, UnicodeError: it cannot be written; what was there before is untouched.
    """
    if not replaceable(path):
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".conformance-")
    made = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as draft:
            draft.write(text)
        made.chmod(0o644)
        made.replace(path)
    except BaseException:  # a full disk, text that is no UTF-8, Ctrl-C: no draft may stay
        made.unlink()
        raise
