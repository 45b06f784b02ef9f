"""The page by which a worker reports progress."""

from __future__ import annotations

import os

import pytest

from conformance.engine.sandbox.heartbeat import Heartbeat, HeartbeatReader, HeartbeatWriter
from conformance.engine.sandbox.worker_lost import WorkerLost
from conformance.requirements.finding import FindingKind


@pytest.fixture
def ends():
    reader = HeartbeatReader()
    yield reader, HeartbeatWriter(reader.descriptor)
    reader.close()


def test_what_is_written_is_read(ends):
    """The last operation, with its arguments or without."""
    reader, writer = ends
    writer.operation("the constructor", "momentum=0.5, eps=1e-05")
    assert reader.read() == Heartbeat("the constructor", "momentum=0.5, eps=1e-05")
    assert reader.read().text == "the constructor with momentum=0.5, eps=1e-05"

    writer.operation("17")
    assert reader.read() == Heartbeat("17", "")
    assert reader.read().text == "17"


def test_each_report_changes_the_counter(ends):
    """Which is how silence is noticed; a new request forgets the operation."""
    reader, writer = ends
    counts = [reader.count]
    for report in (lambda: writer.operation("x"), lambda: writer.operation("x"), writer.begin):
        report()
        counts.append(reader.count)

    assert len(set(counts)) == len(counts)
    assert reader.read() == Heartbeat("", "")


def test_long_arguments_are_cut(ends):
    """Whatever is reported fits into the page."""
    reader, writer = ends
    writer.operation("the call", "é" * 10_000)
    assert reader.read().operation == "the call"
    assert 1000 < len(reader.read().arguments) < 4096


def test_a_page_that_is_cut_off_is_no_progress(ends):
    """The file is read, not mapped: an access beyond its end would kill the supervisor."""
    reader, writer = ends
    writer.operation("x")
    os.ftruncate(reader.descriptor, 0)
    assert (reader.count, reader.read()) == (0, Heartbeat("", ""))


@pytest.mark.parametrize("page", [b"\xff" * 4096, bytes(range(256)) * 16, b"\0" * 4096])
def test_a_forged_page_is_only_text(ends, page: bytes):
    """An implementation can write to the page; what is read is text, at most a page."""
    reader, writer = ends
    writer._page[:] = page
    heartbeat = reader.read()
    lost = WorkerLost("the process is gone", heartbeat)

    assert isinstance(heartbeat.operation, str)
    assert len(heartbeat.text) <= 4096 + len(" with ")
    assert lost.finding.kind is FindingKind.LOST
    assert lost.finding.got == "the process is gone"
