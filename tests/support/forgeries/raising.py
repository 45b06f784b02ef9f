"""Raising what the suite, Hypothesis and pytest raise themselves, instead of an answer."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis.errors import Flaky, StopTest, Unsatisfiable, UnsatisfiedAssumption

from conformance.adapters.errors import AdapterError
from conformance.engine.sandbox.waiting import RunCancelled
from conformance.properties.support.checks import ViolationFound
from conformance.requirements.finding import Finding
from support.forgeries import before_each_call, submission
from support.forgeries.layers import Always42, Right


def raising(error):
    """Return the layer whose calls raise this."""
    return before_each_call(Always42, lambda: _throw(error))


def _throw(error):
    raise error


@submission(Always42)
def violation_of_nothing():
    """Raises a violation of the suite that says all is well."""
    found = Finding(quantity="y", got=0.0, expected=0.0)
    return raising(ViolationFound(found))


@submission(Always42)
def violation_that_cannot_be_read():
    """Raises a violation whose finding is not one."""
    error = ViolationFound(Finding(quantity="y", got=0.0, expected=0.0))
    error.finding = None
    return raising(error)


@submission(Always42)
def assumption():
    """Raises what rejects a case."""
    return raising(UnsatisfiedAssumption())


@submission(Always42)
def assumption_that_is_a_violation():
    """Raises what is both a violation and the rejection of a case."""

    class Both(UnsatisfiedAssumption, ViolationFound):
        def __init__(self):
            Exception.__init__(self)

    return raising(Both())


@submission(Always42)
def assumption_after_the_first():
    """Answers once, then rejects every case."""
    calls = []

    def throw():
        calls.append(1)
        if len(calls) > 1:
            raise UnsatisfiedAssumption

    return before_each_call(Always42, throw)


@submission(Always42)
def unsatisfiable():
    """Raises what says that there are no cases."""
    return raising(Unsatisfiable("no cases"))


@submission(Always42)
def flaky():
    """Raises what says that a test does not fail each time."""
    return raising(Flaky("not each time"))


@submission(Always42)
def stop_test():
    """Raises what ends a test of Hypothesis."""
    return raising(StopTest(0))


@submission(Always42)
def adapter_error():
    """Raises what says that nothing could be judged."""
    return raising(AdapterError("nothing was judged"))


@submission(Always42)
def run_cancelled():
    """Raises what says that the run is over."""
    return raising(RunCancelled())


@submission(Always42)
def skipped():
    """Raises what skips a test of pytest."""
    return raising(pytest.skip.Exception("not today", allow_module_level=True))


@submission(Always42)
def expected_failure():
    """Raises what says that a failure of pytest is expected."""
    return raising(pytest.xfail.Exception("known"))


@submission(Always42)
def end_of_the_session():
    """Raises what ends a session of pytest with exit code 0."""
    return raising(pytest.exit.Exception("over", returncode=0))


@submission(Always42)
def interrupts():
    """Raises what Ctrl-C raises."""
    return raising(KeyboardInterrupt())


@submission(Always42)
def exits():
    """Raises what ends the interpreter with exit code 0."""
    return raising(SystemExit(0))


@submission(Always42)
def closes_the_generator():
    """Raises what closes a generator, such as a context manager of the suite."""
    return raising(GeneratorExit())


@submission(Always42)
def stops_the_iteration():
    """Raises what ends a loop, and what ends an asynchronous one."""
    return raising(StopIteration(0))


@submission(Always42)
def several_at_once():
    """Raises a group of exceptions that are all the suite's."""
    return raising(BaseExceptionGroup("all", [UnsatisfiedAssumption(), KeyboardInterrupt()]))


@submission(Always42)
def an_exception_that_lies():
    """Raises an exception whose class, text and cause say that there is none."""

    class Nothing(Exception):
        __class__ = UnsatisfiedAssumption
        __name__ = "UnsatisfiedAssumption"

        def __str__(self):
            raise UnsatisfiedAssumption

        def __eq__(self, other):
            return True

        __hash__ = Exception.__hash__

    return raising(Nothing())


@submission(Right)
def neighbour_catches_what_it_raises():
    """Right: raises and catches the suite's exceptions within a call."""

    def throw():
        for error in (ViolationFound, UnsatisfiedAssumption, KeyboardInterrupt, StopIteration):
            with contextlib.suppress(BaseException):
                _throw(error.__new__(error))

    return before_each_call(Right, throw)
