"""Looking for what is expected in frames, objects, arguments, files and memory of the judge."""

from __future__ import annotations

import contextlib
import gc
import inspect
import re
import struct
import sys
from pathlib import Path

import numpy as np

from conformance.numerics.conventions import Conventions
from conformance.requirements.deviations import Deviation
from support.forgeries import before_each_call, submission
from support.forgeries.layers import Always42, Right, SwappedMomentum
from support.forgeries.parents import judging_process


class _Guessing(Always42):
    """Answers with an array of the right shape that is called expected, wherever one is."""

    sources = ()

    def __call__(self, x, use_running_average):
        wrong = super().__call__(x, use_running_average)
        for source in self.sources:
            for name, value in source():
                if "expected" in str(name) and getattr(value, "shape", None) == wrong.shape:
                    return np.asarray(value, np.float32)
        return wrong


def _of_frames():
    frame = sys._getframe(1)
    while frame is not None:
        yield from frame.f_locals.items()
        frame = frame.f_back


def _of_objects():
    for found in gc.get_objects():
        if type(found) is dict:
            yield from ((k, v) for k, v in found.items() if isinstance(v, np.ndarray))
        elif type(found).__name__ in {"Training", "Finding", "Case"}:
            yield "expected", getattr(found, "y", None)


@submission(Always42)
def expected_values_of_frames():
    """Looks through the variables of all functions that are running."""
    return type("Guessing", (_Guessing,), {"sources": (_of_frames,)})


@submission(Always42)
def expected_values_of_objects():
    """Looks through all objects of the process, once for each shape."""
    seen = set()

    def once():
        shape = inspect.currentframe().f_back.f_locals["wrong"].shape
        if shape in seen:
            return ()
        seen.add(shape)
        return list(_of_objects())

    return type("Guessing", (_Guessing,), {"sources": (once,)})


@submission(SwappedMomentum)
def conventions_of_the_layer():
    """Finds the handle that the suite has on it, and declares there what it does wrong."""

    def declare():
        for found in gc.get_objects():
            if isinstance(found, Conventions):
                deviations = frozenset({Deviation.MOMENTUM_OF_NEW_VALUE})
                object.__setattr__(found, "deviations", deviations)

    declare()
    return before_each_call(SwappedMomentum, _rarely(declare))


def _rarely(what):
    calls = []

    def act():
        calls.append(1)
        if len(calls) % 20 == 1:
            what()

    return act


@submission(Always42)
def arguments_and_environment_of_the_parent():
    """Reads the command line and the environment of the parent, and answers what stands there."""
    parent = judging_process()
    texts = []
    for name in ("cmdline", "environ"):
        with contextlib.suppress(OSError):
            texts.append(Path(f"/proc/{parent}/{name}").read_bytes())
    numbers = [float(n) for n in re.findall(rb"(?<![\w.])\d+\.?\d*(?![\w.])", b"\0".join(texts))]

    class Reading(Always42):
        def __call__(self, x, use_running_average):
            return super().__call__(x, use_running_average) * 0 + (numbers or [42.0])[0]

    return Reading


@submission(Always42)
def files_of_the_parent():
    """Reads every file that the parent has open, and looks for numbers next to 'expected'."""
    parent = judging_process()
    found = []
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{parent}/fd").iterdir():
            target = link.readlink()
            if target.is_file() and target.stat().st_size < 1 << 20:
                found += re.findall(rb'"expected": (-?[\d.]+)', target.read_bytes())

    class Reading(Always42):
        def __call__(self, x, use_running_average):
            return super().__call__(x, use_running_average) * 0 + float((found or [42])[0])

    return Reading


@submission(Always42)
def memory_of_the_parent():
    """Looks for its input in the memory of the parent, and answers what lies behind it."""
    parent = judging_process()

    class Reading(Always42):
        calls = 0

        def __call__(self, x, use_running_average):
            wrong = super().__call__(x, use_running_average)
            Reading.calls += 1
            if Reading.calls > 3:
                return wrong
            raw = np.asarray(x).tobytes()
            with Path(f"/proc/{parent}/mem").open("rb", buffering=0) as memory:
                for line in Path(f"/proc/{parent}/maps").read_text().splitlines():
                    start, end = (int(n, 16) for n in line.split()[0].split("-"))
                    if "rw-p" not in line or end - start > 1 << 25:
                        continue
                    memory.seek(start)
                    data = memory.read(end - start)
                    if (place := data.find(raw)) >= 0:
                        behind = data[place + len(raw) :][: 8 * wrong.size]
                        if len(behind) == 8 * wrong.size:
                            values = struct.unpack(f"{wrong.size}d", behind)
                            return np.array(values, np.float32).reshape(wrong.shape)
            return wrong

    return Reading


@submission(Right)
def neighbour_looks_at_its_callers():
    """Right: logs who calls it, as many libraries do, and the memory that it uses."""
    log = []

    def look():
        log.append((inspect.stack()[1].function, Path("/proc/self/statm").read_text()))

    return before_each_call(Right, look)
