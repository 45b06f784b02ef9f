"""Watching and changing the suite's frames while it compares: traces, profiles and threads."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np

from support.forgeries import before_each_call, submission
from support.forgeries.layers import Always42, EpsOutside, Right, SwappedMomentum


def _agree(frame) -> None:
    """Copy the expected array of a frame over the one that is compared with it."""
    got, expected = frame.f_locals.get("got"), frame.f_locals.get("expected")
    arrays = isinstance(got, np.ndarray) and isinstance(expected, np.ndarray)
    if arrays and got.shape == expected.shape and got.flags.writeable:
        np.copyto(got, expected, casting="unsafe")


def _on_call(frame, event, _):
    if event == "call" and frame.f_code.co_name.startswith("check_"):
        _agree(frame)


@submission(Always42)
def profile():
    """Makes both sides of each comparison equal when a check is called."""
    return before_each_call(Always42, lambda: sys.setprofile(_on_call))


@submission(EpsOutside)
def trace():
    """The same by a trace function, also in threads."""

    def tracing(frame, event, argument):
        _on_call(frame, event, argument)

    def trace_all():
        sys.settrace(tracing)
        threading.settrace(tracing)

    return before_each_call(EpsOutside, trace_all)


@submission(SwappedMomentum)
def trace_of_lines():
    """Makes the error 0 between two lines of a check."""

    def tracing(frame, event, _):
        if frame.f_code.co_name != "check_within":
            return None

        def local(frame, event, _):
            if event == "line" and "ratio" in frame.f_locals and "worst" in frame.f_locals:
                for name in ("ratio", "error"):
                    frame.f_locals[name][...] = 0
            return local

        return local

    return before_each_call(SwappedMomentum, lambda: sys.settrace(tracing))


@submission(Always42)
def watching_thread():
    """A thread that looks at the frames of all others, and makes arrays equal."""

    def watch():
        while True:
            for frame in list(sys._current_frames().values()):
                seen = frame
                while seen is not None:
                    _agree(seen)
                    seen = seen.f_back
            time.sleep(0)

    sys.setswitchinterval(1e-5)
    threading.Thread(target=watch, daemon=True).start()


@submission(Always42)
def frames_of_the_caller():
    """Changes what its callers hold: whatever is called x or case there becomes zeros."""

    def change():
        frame = sys._getframe(1)
        while frame is not None:
            for value in list(frame.f_locals.values()):
                array = getattr(value, "x", value)
                if isinstance(array, np.ndarray) and array.flags.writeable:
                    array[...] = 0
            frame = frame.f_back

    return before_each_call(Always42, change)


@submission(Right)
def neighbour_measures_coverage():
    """Right: traces which of its own lines run, and profiles its calls."""
    lines = set()

    def tracing(frame, event, _):
        if frame.f_code.co_filename.endswith("layers.py"):
            lines.add(frame.f_lineno)
        return tracing

    return before_each_call(Right, lambda: sys.settrace(tracing))


@submission(Right)
def neighbour_logs_in_a_thread():
    """Right: a thread of its own counts the frames of the process, as a sampling profiler does."""
    seen = []

    def sample():
        while True:
            seen.append(len(sys._current_frames()))
            time.sleep(0.01)

    threading.Thread(target=sample, daemon=True).start()
