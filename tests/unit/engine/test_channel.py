"""The two ends between a supervisor and its worker."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from conformance.adapters.operations.wire import LENGTH, WireError, encode
from conformance.engine.sandbox.channel import Channel, ChannelClosed

LARGEST = 1 << 22


class Ends:
    """A channel, and the other ends of its pipes."""

    def __init__(self) -> None:
        reading, self.into = os.pipe()
        self.out, writing = os.pipe()
        self.open = {reading, self.into, self.out, writing}
        self.channel = Channel(reading, writing, LARGEST)

    def close(self, end: int) -> None:
        self.open.discard(end)
        os.close(end)


@pytest.fixture
def ends() -> Iterator[Ends]:
    found = Ends()
    yield found
    for end in list(found.open):
        found.close(end)


def test_messages_arrive_in_order(ends: Ends):
    """Also when several have come at once, or one in parts."""
    messages = b"".join(encode(each) for each in ("first", [1.5], {"a": None}))
    os.write(ends.into, messages[:-5])
    assert ends.channel.receive(1) == "first"
    assert ends.channel.receive(1) == [1.5]
    with pytest.raises(TimeoutError):
        ends.channel.receive(0.05)
    os.write(ends.into, messages[-5:])
    assert ends.channel.receive(1) == {"a": None}


def test_large_arrays_arrive(ends: Ends):
    """What does not fit into a pipe is sent while the other end reads."""
    sent = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    other = Channel(ends.out, ends.into, LARGEST)
    sender = threading.Thread(target=other.send, args=([sent, "end"],))
    sender.start()
    got, end = ends.channel.receive(10)
    sender.join()
    assert np.array_equal(got, sent)
    assert end == "end"


def test_parts_that_never_end_take_no_longer_than_the_timeout(ends: Ends):
    """A byte now and then does not keep a receiver from looking at other things."""
    stop = threading.Event()

    def drip() -> None:
        for byte in (1 << 20).to_bytes(LENGTH, "little") + b" " * 100:
            if stop.wait(0.02):
                return
            os.write(ends.into, bytes([byte]))

    dripping = threading.Thread(target=drip)
    dripping.start()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        ends.channel.receive(0.2)
    took = time.monotonic() - started
    stop.set()
    dripping.join()
    assert 0.15 < took < 1.5


def test_the_end_of_the_other_end_is_noticed(ends: Ends):
    """Before a message, within one, and when sending."""
    os.write(ends.into, encode("whole") + encode("a part")[:-1])
    ends.close(ends.into)
    assert ends.channel.receive(1) == "whole"
    with pytest.raises(ChannelClosed):
        ends.channel.receive(1)
    ends.close(ends.out)
    with pytest.raises(ChannelClosed):
        ends.channel.send("anything", 1)


def test_an_end_that_takes_nothing_is_not_waited_for(ends: Ends):
    """Sending more than a pipe holds ends after the timeout."""
    with pytest.raises(TimeoutError):
        ends.channel.send(np.zeros(1 << 20, np.uint8), 0.1)


@pytest.mark.parametrize(
    "message",
    [
        (LARGEST + 1).to_bytes(LENGTH, "little"),
        b"\xff" * LENGTH,
        (4).to_bytes(LENGTH, "little") + b"oops",
        (0).to_bytes(LENGTH, "little"),
        len(b"[0,[4194305]]").to_bytes(LENGTH, "little") + b"[0,[4194305]]",
        len(b"[0,[1e30]]").to_bytes(LENGTH, "little") + b"[0,[1e30]]",
        len(b"[0,[99999999999999999999999]]").to_bytes(LENGTH, "little")
        + b"[0,[99999999999999999999999]]",
        len(b"[0,[-1]]").to_bytes(LENGTH, "little") + b"[0,[-1]]",
        len(b"[0,[3,-3]]").to_bytes(LENGTH, "little") + b"[0,[3,-3]]",
    ],
)
def test_what_is_no_message_is_refused(ends: Ends, message: bytes):
    """Too large, not JSON, or sizes that are none; nothing is allocated for it."""
    os.write(ends.into, message + b"0123456789")
    with pytest.raises(WireError):
        ends.channel.receive(1)
