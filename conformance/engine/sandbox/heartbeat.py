"""A shared memory page by which a worker reports progress, at a microsecond a report.

The supervisor reads more than the counter only when the counter stands still: the worker is
dead, or in a call that does not return. The page holds text and numbers alone, because the
implementation can write to it, too.
"""

from __future__ import annotations

import json
import mmap
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD = struct.Struct("<5I")
"""Counter, number of cases, and the sizes of the three parts."""

_OPERATION, _RAW, _SHAPES, _SIZE = 64, 1024, 8192, 1 << 18
"""Where the parts begin; an operation is a phrase, a case 256 bytes, shapes a few kilobytes."""

_SEPARATOR = "\0"
"""Between an operation and its arguments."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last report of a worker.

    Attributes:
        operation: The operation that was started, without its arguments.
        arguments: The arguments of the operation, for a reader.
        cases: Number of cases started since the request.
        raw: The bytes that the present case is decoded from; empty before the first.
        shapes: The encoded palette that it is decoded with, as JSON.
    """

    operation: str
    arguments: str
    cases: int
    raw: bytes
    shapes: bytes

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
        _, cases, operation, raw, shapes = _HEAD.unpack_from(self._page)
        text = self._page[_OPERATION : _OPERATION + operation].decode("utf-8", "replace")
        name, _, arguments = text.partition(_SEPARATOR)
        return Heartbeat(
            operation=name,
            arguments=arguments,
            cases=cases,
            raw=self._page[_RAW : _RAW + raw],
            shapes=self._page[_SHAPES : _SHAPES + shapes],
        )

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
        self._entries: tuple[Any, ...] | None = None
        self.begin()

    def begin(self) -> None:
        """Report a new request, which has no case yet."""
        self._cases, self._operation, self._raw, self._shapes = 0, b"", b"", b""
        self._entries = None
        self._write()

    def case(self, raw: bytes, entries: tuple[Any, ...]) -> None:
        """Report that a case is being prepared.

        Args:
            raw: The bytes that it is drawn from.
            entries: The palette that it is drawn with.
        """
        self._cases += 1
        self._raw = raw[: _SHAPES - _RAW]
        self._page[_RAW : _RAW + len(self._raw)] = self._raw
        if entries is not self._entries:
            from conformance.strategies.codec import encode  # noqa: PLC0415  imports NumPy

            self._entries, self._shapes = entries, json.dumps(encode(entries)).encode()
            self._page[_SHAPES : _SHAPES + len(self._shapes)] = self._shapes
        self.operation("the case")

    def operation(self, name: str, arguments: str = "") -> None:
        """Report that an operation is about to start.

        Args:
            name: The operation, such as "the call".
            arguments: The arguments that matter to a reader.
        """
        text = f"{name}{_SEPARATOR}{arguments}"
        self._operation = text.encode("utf-8", "replace")[: _RAW - _OPERATION]
        self._page[_OPERATION : _OPERATION + len(self._operation)] = self._operation
        self._write()

    def _write(self) -> None:
        self._count = (self._count + 1) % (1 << 32)
        sizes = len(self._operation), len(self._raw), len(self._shapes)
        _HEAD.pack_into(self._page, 0, self._count, self._cases, *sizes)
