"""Writing files in one step."""

from __future__ import annotations

import tempfile
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: readers see the old file or the whole new one.

    Raises:
        OSError: it cannot be written; what was there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8", newline="\n"
    ) as draft:
        draft.write(text)
    made = Path(draft.name)
    try:
        made.chmod(0o644)
        made.replace(path)
    except OSError:
        made.unlink()
        raise
