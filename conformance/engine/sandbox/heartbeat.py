"""A page of a file by which a worker reports progress, at a microsecond a report.

The worker maps the page. The supervisor reads the file instead, because the implementation can
write to it and truncate it, too: a missing report is not one. It does so only while it waits.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from dataclasses import dataclass

_HEAD = struct.Struct("<2I")
"""Counter, and the size of the text."""

_PHASE, _TEXT, _SIZE = 8, 64, 4096
"""Where the number of the phase is, where the text begins, and the size of the page."""

PHASES = ("calling", "tracing", "lowering", "compiling")
"""What a worker may be doing in an operation: each is reported when it begins."""

_SEPARATOR = "\0"
"""Between an operation and its arguments."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last report of a worker.

    Attributes:
        operation: The operation that was started, without its arguments.
        arguments: The arguments of the operation, for a reader.
        phase: What is done in it, of ``PHASES``.
    """

    operation: str = ""
    arguments: str = ""
    phase: str = PHASES[0]

    @property
    def text(self) -> str:
        """The operation with its arguments; empty if none was started."""
        return f"{self.operation} with {self.arguments}" if self.arguments else self.operation


class HeartbeatReader:
    """The supervisor's end, which creates the file; it has no name."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed below
        self._file.truncate(_SIZE)

    @property
    def descriptor(self) -> int:
        """The descriptor of the file that the writer maps."""
        return self._file.fileno()

    @property
    def count(self) -> int:
        """A number that changes with every report."""
        return self._read()[0]

    def read(self) -> Heartbeat:
        """Return the last report."""
        _, size, page = self._read()
        text = page[_TEXT : _TEXT + size].decode("utf-8", "replace")
        name, _, arguments = text.partition(_SEPARATOR)
        return Heartbeat(name, arguments, PHASES[page[_PHASE] % len(PHASES)])

    def _read(self) -> tuple[int, int, bytes]:
        page = os.pread(self._file.fileno(), _SIZE, 0).ljust(_SIZE, b"\0")
        return *_HEAD.unpack_from(page), page

    def close(self) -> None:
        """Release the file."""
        self._file.close()


class HeartbeatWriter:
    """The worker's end, a ``Watcher``."""

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, _SIZE)
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

    def phase(self, number: int) -> None:
        """Report what is done in the operation; that is for readers, and no progress.

        Args:
            number: The place in ``PHASES``.
        """
        self._page[_PHASE] = number

    def _write(self, text: bytes) -> None:
        self._page[_PHASE] = 0
        self._count = (self._count + 1) % (1 << 32)
        self._page[_TEXT : _TEXT + len(text)] = text
        _HEAD.pack_into(self._page, 0, self._count, len(text))
