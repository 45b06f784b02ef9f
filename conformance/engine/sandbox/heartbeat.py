"""A shared memory page by which a worker reports progress, at a microsecond a report.

The supervisor reads more than the counter only when the counter stands still: the worker is
dead, or in a call that does not return. The page holds text and numbers alone, because the
implementation can write to it, too.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

_HEAD = struct.Struct("<2I")
"""Counter, and the size of the text."""

_TEXT, _SIZE = 64, 4096
"""Where the text begins, which is a phrase, and the size of the page."""

_SEPARATOR = "\0"
"""Between an operation and its arguments."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last report of a worker.

    Attributes:
        operation: The operation that was started, without its arguments.
        arguments: The arguments of the operation, for a reader.
    """

    operation: str = ""
    arguments: str = ""

    @property
    def text(self) -> str:
        """The operation with its arguments; empty if none was started."""
        return f"{self.operation} with {self.arguments}" if self.arguments else self.operation


class HeartbeatReader:
    """The supervisor's end, which creates and deletes the file."""

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile(prefix="conformance-")  # noqa: SIM115  closed below
        self._file.truncate(_SIZE)
        self._page = mmap.mmap(self._file.fileno(), _SIZE)

    @property
    def path(self) -> str:
        """The file that the writer maps."""
        return self._file.name

    @property
    def count(self) -> int:
        """A number that changes with every report."""
        return int(_HEAD.unpack_from(self._page)[0])

    def read(self) -> Heartbeat:
        """Return the last report."""
        size = _HEAD.unpack_from(self._page)[1]
        text = self._page[_TEXT : _TEXT + size].decode("utf-8", "replace")
        name, _, arguments = text.partition(_SEPARATOR)
        return Heartbeat(name, arguments)

    def close(self) -> None:
        """Release the page and delete the file."""
        self._page.close()
        self._file.close()


class HeartbeatWriter:
    """The worker's end, a ``Watcher``."""

    def __init__(self, path: str) -> None:
        with Path(path).open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _SIZE)
        self._count = 0
        self.begin()

    def begin(self) -> None:
        """Report a new request."""
        self._write(b"")

    def operation(self, name: str, arguments: str = "") -> None:
        """Report that an operation is about to start.

        Args:
            name: The operation, such as "the call", or its place in the request.
            arguments: The arguments that matter to a reader.
        """
        text = f"{name}{_SEPARATOR}{arguments}" if arguments else name
        self._write(text.encode("utf-8", "replace")[: _SIZE - _TEXT])

    def _write(self, text: bytes) -> None:
        self._count = (self._count + 1) % (1 << 32)
        self._page[_TEXT : _TEXT + len(text)] = text
        _HEAD.pack_into(self._page, 0, self._count, len(text))
