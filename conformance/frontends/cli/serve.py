"""``serve``: judge what is asked for over a Unix socket, in JSON lines."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from conformance.adapters.errors import AdapterError, printable
from conformance.diagnosis.client import Experts
from conformance.engine.jobs import cores
from conformance.engine.pool import JudgePool
from conformance.engine.sandbox.confinement import hide_memory
from conformance.frontends.cli.console import silent_console
from conformance.frontends.cli.parameters import FILE, jobs_option
from conformance.frontends.cli.signals import catch_signals
from conformance.frontends.options import OptionError
from conformance.frontends.progress import ProgressDisplay
from conformance.frontends.requests import Request, read_request
from conformance.frontends.run_session import Session, decide_exit_code
from conformance.report.grade import GradedRun, to_grade

_READING = 10.0
"""Seconds in which a request must have been sent."""

_LARGEST = 1 << 20
"""Bytes that a request may have."""


@click.command()
@click.argument("path", metavar="SOCKET", type=FILE)
@jobs_option
def serve(path: Path, jobs: str) -> None:
    """Judge what is asked for over the Unix socket SOCKET, which only this user may use.

    Each connection is one request, a line of JSON: {"implementation": "my_norm.py:MyBatchNorm"},
    with the options of `conformance run` as further keys: "profile", "seed", "max_time",
    "call_timeout", … The answer is {"verdict": ...} for each requirement, then {"report": ...}; or
    {"grade": ...} if the request has "grade": true; or {"error": ...}. Each implementation gets
    new processes, forked from one that has imported frameworks alone. Ctrl-C ends the service.
    """
    hide_memory()
    size = cores() if jobs == "auto" else int(jobs)
    with catch_signals() as received:
        try:
            with _listening(path) as listener, JudgePool(size) as pool:
                click.echo(f"Listening at {path}, {size} processes.")
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        _Answer(connection).give(pool)
        except KeyboardInterrupt:
            click.echo("Ended.")
    sys.exit(received.exit_code)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """Listen at a path that is free, or was left behind by a service that has ended."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as other:
            if not other.connect_ex(str(path)):
                msg = f"{path}: another service listens there. Name another socket."
                raise click.UsageError(msg)
        path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        except OSError as error:
            msg = f"{path}: no socket can be made there: {error.strerror}"
            raise click.UsageError(msg) from error
        finally:
            os.umask(before)
        listener.listen(64)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


class _Answer:
    """Answers the request of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def give(self, pool: JudgePool) -> None:
        """Judge what is asked for; whoever goes away is not answered any more."""
        with suppress(OSError):
            try:
                answer = self._judge(read_request(self._read()), pool)
            except (OptionError, AdapterError) as error:
                answer = {"error": printable(str(error))}
            self._send(answer)

    def _read(self) -> bytes:
        ends, line = time.monotonic() + _READING, b""
        while not line.endswith(b"\n") and len(line) < _LARGEST:
            self._connection.settimeout(max(0.01, ends - time.monotonic()))
            part = self._connection.recv(1 << 16)
            if not part:
                break
            line += part
        self._connection.settimeout(None)
        return line

    def _judge(self, request: Request, pool: JudgePool) -> dict[str, Any]:
        run, console = request.run, silent_console()
        with Experts(
            strictly=run.strict_reading, diagnose=request.diagnose, ends=run.last
        ) as experts:
            session = Session(run, experts)
            if not request.grade:
                session.collection.on_verdict = lambda verdict: self._send(
                    {"verdict": verdict.to_json()}
                )
            collection = session.collection
            session.judge(pool, ProgressDisplay(collection, console), self._is_listening)
            report = session.consult(collection.report(decide_exit_code(collection)), console)
        if not request.grade:
            return {"report": report.to_dict()}
        graded = GradedRun(report=report, peaks=collection.peaks)
        return {"grade": to_grade(graded, hides_inputs=request.hides_inputs)}

    def _is_listening(self) -> bool:
        ready, _, _ = select.select([self._connection], [], [], 0)
        return not ready or bool(self._connection.recv(1, socket.MSG_PEEK))

    def _send(self, content: dict[str, Any]) -> None:
        self._connection.sendall(json.dumps(content).encode() + b"\n")
