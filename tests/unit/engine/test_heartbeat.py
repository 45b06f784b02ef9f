"""The page by which a worker reports progress."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from conformance.engine.sandbox.heartbeat import HeartbeatReader, HeartbeatWriter
from conformance.engine.sandbox.supervisor import _finding, _violation
from conformance.requirements.finding import FindingKind
from conformance.strategies.codec import decode
from conformance.strategies.shape_grid import DEFAULT

RAW = bytes(range(256))


@pytest.fixture
def reader_and_writer():
    reader = HeartbeatReader()
    yield reader, HeartbeatWriter(reader.path)
    reader.close()


def test_what_is_written_is_read(reader_and_writer):
    """The operation with its arguments, the number of cases, and the bytes of the case."""
    reader, writer = reader_and_writer
    writer.case(RAW, DEFAULT)
    writer.case(RAW, DEFAULT)
    writer.operation("the constructor", "momentum=0.5, eps=1e-05")
    heartbeat = reader.read()

    assert (heartbeat.operation, heartbeat.cases) == ("the constructor", 2)
    assert heartbeat.text == "the constructor with momentum=0.5, eps=1e-05"
    assert heartbeat.raw == RAW
    assert decode(json.loads(heartbeat.shapes)) == DEFAULT


def test_each_report_changes_the_counter(reader_and_writer):
    """Which is how silence is noticed; a new request forgets the case."""
    reader, writer = reader_and_writer
    counts = [reader.count]
    for report in (lambda: writer.case(RAW, DEFAULT), lambda: writer.operation("y"), writer.begin):
        report()
        counts.append(reader.count)

    assert len(set(counts)) == len(counts)
    assert (reader.read().raw, reader.read().text) == (b"", "")


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_forged_page_is_not_executed(reader_and_writer, tmp_path: Path):
    """An implementation can write to the page; the supervisor only loses the case by it."""
    reader, writer = reader_and_writer
    writer.case(RAW, DEFAULT)
    writer._shapes = pickle.dumps(Touch(tmp_path / "executed"))
    writer._page[8192 : 8192 + len(writer._shapes)] = writer._shapes
    writer.operation("the call")
    heartbeat = reader.read()
    finding = _finding("no result", heartbeat, FindingKind.LOST)

    assert _violation("BN-EVAL-1", finding, heartbeat).values == {}
    assert not (tmp_path / "executed").exists()
