"""One end of the connection between a supervisor and its worker: messages over two pipes."""

from __future__ import annotations

import os
import select
import time
from typing import Any

from conformance.adapters.operations.wire import LENGTH, WireError, decode, encode, sizes_of

_CHUNK = 1 << 20

_LARGEST_HEADER = 1 << 24
"""Bytes of a header; that of ten cases has some thousands."""


class ChannelClosed(Exception):
    """The process at the other end is gone, or has closed its end."""


class Channel:
    """Sends and receives messages of ``conformance.adapters.operations.wire``.

    Args:
        reading: The descriptor to read from.
        writing: The descriptor to write to.
        largest: Bytes that a message may have.
    """

    def __init__(self, reading: int, writing: int, largest: int = 1 << 40) -> None:
        self._reading, self._writing, self._largest = reading, writing, largest
        self._buffer = bytearray()
        os.set_blocking(writing, False)
        self._room = select.poll()
        self._room.register(writing, select.POLLOUT)
        self._poll = select.poll()
        self._poll.register(reading, select.POLLIN | select.POLLHUP)

    def send(self, content: Any, timeout: float | None = None) -> None:
        """Send a message.

        Args:
            content: What ``conformance.adapters.operations.wire`` can encode.
            timeout: Seconds to wait for the other end to take a part of it; None for any time.

        Raises:
            TimeoutError: The other end has taken nothing in this time.
            ChannelClosed: It cannot be sent.
        """
        view = memoryview(encode(content))
        while view:
            try:
                view = view[os.write(self._writing, view) :]
            except BlockingIOError:
                if not self._room.poll(None if timeout is None else 1000 * timeout):
                    raise TimeoutError from None
            except OSError as error:
                raise ChannelClosed from error

    def receive(self, timeout: float | None = None) -> Any:
        """Return the content of the next message.

        Args:
            timeout: Seconds after which to wait for no further part; None for any time.

        Raises:
            TimeoutError: It is not there in this time; what has come so far is kept.
            ChannelClosed: There will be no message.
            WireError: What has come is not a message.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            message = self._take()
            if message is not None:
                return message[0]
            left = None if until is None else max(0.0, 1000 * (until - time.monotonic()))
            if not self._poll.poll(left):
                raise TimeoutError
            try:
                part = os.read(self._reading, _CHUNK)
            except OSError as error:
                raise ChannelClosed from error
            if not part:
                raise ChannelClosed
            self._buffer += part

    def _take(self) -> tuple[Any] | None:
        """Take a whole message out of what has come; None if a part of it is lacking."""
        if len(self._buffer) < LENGTH:
            return None
        start = LENGTH + int.from_bytes(self._buffer[:LENGTH], "little")
        if start > min(self._largest, LENGTH + _LARGEST_HEADER):
            raise WireError("a header is too large")
        if len(self._buffer) < start:
            return None
        content, sizes = sizes_of(bytes(self._buffer[LENGTH:start]))
        end = start + sum(sizes)
        if end > self._largest:
            raise WireError("a message is too large")
        if len(self._buffer) < end:
            return None
        body, buffers, place = memoryview(bytes(self._buffer[start:end])), [], 0
        for size in sizes:
            buffers.append(body[place : place + size])
            place += size
        del self._buffer[:end]
        return (decode(content, buffers),)
