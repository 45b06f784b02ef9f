"""The process in which one implementation is resolved and judged, and nothing else happens.

It reads one order and then requests, a line of JSON each, and answers each with one. The
standard streams are not used for that, so that code may print, read and close them.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from conformance.adapters import call_hooks
from conformance.adapters.errors import describe
from conformance.engine.budget import Budget
from conformance.engine.jax_runtime import offer_host_devices, remember_compilations
from conformance.engine.sandbox.global_state import Footprint
from conformance.engine.sandbox.heartbeat import StampWriter
from conformance.requirements import REQUIREMENTS

if TYPE_CHECKING:
    from conformance.properties.support.subject import Subject

LINE_CLOSED = 113
"""The exit code when the implementation has closed the file by which the suite is answered."""

_ALLOCATIONS = 20_000
"""Between two collections of the youngest garbage. JAX and NNX make much of it and few cycles; with
the 700 of the interpreter, a seventh of the time goes into looking for them."""

_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux."""


def main() -> None:
    """Judge until there are no more requests."""
    requests, replies = _private_streams()
    _do_not_outlive_the_host()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the host is asked to stop, and stops us
    order = json.loads(requests.readline())
    sys.path[:] = order["path"]
    remember_compilations()
    offer_host_devices()
    gc.set_threshold(_ALLOCATIONS, 10, 10)
    stamp = StampWriter(order["stamp"])
    call_hooks.watch(stamp)
    _Guest(order, stamp, replies).serve(requests)
    os._exit(0)  # what the implementation registered for the end of a process is not wanted


class _Guest:
    def __init__(self, order: dict[str, Any], stamp: StampWriter, replies: IO[str]) -> None:
        self.name: str = order["implementation"]
        self.strictly: bool = order.get("strictly", False)
        self.budget = Budget(**order["budget"])
        self.stamp, self.replies = stamp, replies
        self._errors = os.dup(2)

    def serve(self, requests: IO[str]) -> None:
        import conformance.engine.judge  # noqa: PLC0415, F401  before the time of the import counts

        self.footprint = Footprint()
        subject = self._resolved()
        if subject is None:
            return
        self._reply(ready=subject.implementation.kind, effects=self.footprint.changed())
        for line in requests:
            request = json.loads(line)
            self._reply(**self._answer(subject, request), effects=self.footprint.changed())

    def _answer(self, subject: Subject, request: dict[str, Any]) -> dict[str, Any]:
        if "behaviour" in request:
            return self._observed(subject, **request)
        if "blueprint" in request:
            return self._described(subject)
        return self._judged(subject, **request)

    def _resolved(self) -> Subject | None:
        from conformance.adapters.errors import AdapterError  # noqa: PLC0415
        from conformance.adapters.resolve import resolve  # noqa: PLC0415
        from conformance.properties.support.subject import Subject  # noqa: PLC0415

        self.stamp.operation("importing it")
        try:
            return Subject(resolve(self.name).read(strictly=self.strictly))
        except AdapterError as error:
            self._reply(refused=str(error))
        except BaseException as error:  # noqa: BLE001  whatever the implementation raises
            self._reply(refused=f"{self.name} cannot be resolved: {describe(error)}")
        return None

    def _judged(
        self,
        subject: Subject,
        requirement: str,
        until: float | None = None,
        values: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        from conformance.engine.judge import Trial, judge, judge_stored, unsupported  # noqa: PLC0415
        from conformance.properties import PROPERTIES  # noqa: PLC0415

        self.stamp.begin()
        os.ftruncate(self._errors, 0)  # what one requirement writes is enough
        try:
            verdict = unsupported(REQUIREMENTS[requirement], subject)
            if verdict is None:
                trial = Trial(PROPERTIES[requirement], subject, self.budget)
                trial.until = until
                verdict = judge(trial) if values is None else judge_stored(trial, values)
        except BaseException as error:  # noqa: BLE001  interrupts of its own making
            return {"escaped": describe(error)}
        return {"verdict": verdict.to_json(internal=True)}

    def _observed(self, subject: Subject, behaviour: str) -> dict[str, Any]:
        from conformance.diagnosis.behaviours.observer import observe  # noqa: PLC0415

        self.stamp.begin()
        os.ftruncate(self._errors, 0)
        return {"observation": observe(behaviour, subject).to_json()}

    def _described(self, subject: Subject) -> dict[str, Any]:
        from conformance.report.reproducers.construction_spec import blueprint_of  # noqa: PLC0415

        self.stamp.begin()
        return {"blueprint": blueprint_of(subject.implementation).to_json()}

    def _reply(self, **values: Any) -> None:
        try:
            self.replies.write(json.dumps(values) + "\n")
            self.replies.flush()
        except OSError:
            os._exit(LINE_CLOSED)


def _private_streams() -> tuple[IO[str], IO[str]]:
    """Take input and output away from whatever runs here later: it reads and prints nothing."""
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return requests, replies


def _do_not_outlive_the_host() -> None:
    """Die with the host, if the system offers that; its end otherwise ends our input."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        adjust = Path("/proc/self/oom_score_adj")
        try:
            adjust.write_text("1000")  # whoever runs out of memory, it is this process's doing
        except OSError:
            return
