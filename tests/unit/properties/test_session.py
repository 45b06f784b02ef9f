"""The operations of a case: sent together, taken in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from support.numpy_norm import NumpyNorm, implementation

from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.executor import LocalExecutor
from conformance.adapters.operations.values import Failed, NotNumeric, Operation
from conformance.adapters.protocols import Config
from conformance.numerics.state import State
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.lazy_array import LazyArray
from conformance.properties.support.session import Session, as_array
from conformance.properties.support.subject import Subject
from conformance.requirements.finding import FindingKind

CONFIG = Config(features=3)
X = np.arange(6, dtype=np.float32).reshape(2, 3)


class Counting:
    """An executor that keeps the names of the operations of each request."""

    def __init__(self, implementation: Implementation) -> None:
        self.inner = LocalExecutor(implementation)
        self.requests: list[list[str]] = []

    def perform(self, operations: Sequence[Operation]) -> list[Any] | Failed:
        self.requests.append([each.name for each in operations])
        return self.inner.perform(operations)

    def begin_case(self) -> None:
        self.inner.begin_case()


def counted(layer: type[NumpyNorm] = NumpyNorm) -> tuple[Subject, list[list[str]]]:
    executor = Counting(implementation(layer))
    return Subject(implementation(layer), executor), executor.requests


class Raising(NumpyNorm):
    def __call__(self, *_: Any) -> Any:
        msg = "no"
        raise ValueError(msg)


def test_a_case_is_one_request():
    """Nothing is executed before a result is looked at, and then everything asked for so far."""
    subject, requests = counted()
    layer = subject.build(CONFIG, State.fresh(3))
    trained, after = layer.train(X), layer.state
    evaluated = layer.evaluate(X)
    assert requests == []
    assert trained.shape == (2, 3)
    assert requests == [["build", "write", "call", "read", "call"]]
    assert after.gamma.dtype == evaluated.dtype == np.float32
    subject.session.finish()
    assert len(requests) == 1


def test_what_nobody_looks_at_is_executed_at_the_end():
    """A call whose result does not matter may raise all the same."""
    subject, requests = counted(Raising)
    subject.build(CONFIG).train(X)
    assert requests == []
    with pytest.raises(ViolationFound, match="the call with use_running_average=False: got Value"):
        subject.session.finish()


def test_the_first_of_several_violations_is_the_one_reported():
    """Whatever result is looked at first, those before it come first."""

    class TextThenRaising(NumpyNorm):
        calls = 0

        def __call__(self, x: Any, use_running_average: Any) -> Any:
            self.calls += 1
            if self.calls == 1:
                return "text"
            return Raising.__call__(self, x, use_running_average)

    subject, _ = counted(TextThenRaising)
    layer = subject.build(CONFIG)
    layer.train(X)
    second = layer.train(X)
    with pytest.raises(ViolationFound) as found:
        np.asarray(second)
    assert found.value.finding.kind is FindingKind.NOT_ARRAY
    assert (found.value.finding.quantity, found.value.finding.got) == ("y", "str")


def test_checks_are_made_when_the_results_before_them_are_there():
    """In the order in which they and the operations were asked for."""
    subject, _ = counted()
    seen: list[str] = []
    session, layer = subject.session, subject.build(CONFIG)
    session.later(lambda: seen.append("built"))
    y = layer.train(X)
    session.later(lambda: seen.append("trained"))
    assert seen == []
    np.asarray(y)
    assert seen == ["built"]
    session.finish()
    assert seen == ["built", "trained"]


def test_what_was_not_executed_is_forgotten():
    """After a failure a session goes on with what is asked for next."""
    subject, requests = counted(Raising)
    layer = subject.build(CONFIG)
    after: list[str] = []
    layer.train(X)
    state = layer.state
    subject.session.later(lambda: after.append("checked"))
    with pytest.raises(ViolationFound):
        subject.session.finish()

    assert subject.build(CONFIG).state.gamma.shape == (3,)
    subject.session.finish()
    assert after == []
    assert isinstance(state.gamma, LazyArray)
    assert requests == [["build", "call", "read"], ["build", "read"]]


def test_a_new_case_forgets_the_one_before():
    """What was asked for and not executed never is; numbers of live objects start again."""
    subject, requests = counted()
    first = subject.build(CONFIG)
    first.train(X)
    subject.session.begin_case()
    second = subject.build(CONFIG)
    subject.session.finish()
    assert first.ref == second.ref
    assert requests == [["begin_case", "build"]]


def test_refusals_are_answers():
    """An exception is the answer, and one of an operation before it is a violation."""
    subject, _ = counted(Raising)
    layer = subject.build(CONFIG)
    assert layer.ask("refuses", X, False, label="the call")
    assert not build_right_layer().ask("refuses", X, False, label="the call")
    layer.train(X)
    with pytest.raises(ViolationFound, match="got ValueError: no"):
        layer.ask("refuses", X, False, label="the call")


def build_right_layer() -> LayerHandle:
    """Return a layer that refuses nothing."""
    return counted()[0].build(CONFIG)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit()])
def test_an_attempt_to_end_the_process_is_no_refusal(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
):
    """A layer refuses by an ``Exception``."""
    monkeypatch.setattr("conformance.adapters.call_hooks.is_watched", lambda: True)

    class Ending(NumpyNorm):
        def __call__(self, *_: object) -> None:
            raise error

    subject, _ = counted(Ending)
    with pytest.raises(ViolationFound, match=type(error).__name__):
        subject.build(CONFIG).ask("refuses", X, False, label="the call")


def test_failures_of_the_environment_are_no_violations():
    """They make the suite fail, and so the verdict errored."""

    class FullDisk:
        def perform(self, _: object) -> Failed:
            return Failed([], "OSError: no space left", of_suite=True)

        def begin_case(self) -> None:
            """Nothing to forget."""

    with pytest.raises(RuntimeError, match="OSError: no space left"):
        Session(FullDisk()).ask("put", 1, label="passing x")


def test_results_that_are_no_arrays_are_violations():
    """By the name of their type."""
    assert as_array("y", X) is X
    for value, kind in ((NotNumeric("list"), "list"), (None, "NoneType"), (3, "int")):
        with pytest.raises(ViolationFound) as found:
            as_array("y", value)
        assert found.value.finding.got == kind


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.int32, np.bool_], ids=str)
def test_a_lazy_array_is_the_array(dtype: Any):
    """Fetched once, by whatever looks at it first."""
    array = X.astype(dtype)
    fetched: list[int] = []

    def lazily() -> LazyArray:
        return LazyArray(lambda: fetched.append(1) or array)

    assert np.asarray(lazily()).dtype == array.dtype
    assert np.asarray(lazily(), np.float64).dtype == np.float64
    assert np.array_equal(lazily(), array)
    assert lazily().tobytes() == array.tobytes()
    assert (lazily() == array).all()
    assert np.array_equal(lazily()[0], array[0])
    assert len(lazily()) == len(array)
    assert len(fetched) == 7

    once = lazily()
    assert once.shape == array.shape
    assert once.dtype == array.dtype
    assert [*once][1].tolist() == array[1].tolist()
    assert len(fetched) == 8


def test_arithmetic_with_lazy_arrays():
    """As with arrays, on either side."""
    lazy = LazyArray(lambda: X)
    assert np.array_equal(lazy + 1, X + 1)
    assert np.array_equal(1 - lazy, 1 - X)
    assert np.array_equal(X * lazy, X * X)
    assert np.array_equal(np.maximum(lazy, 2), np.maximum(X, 2))
    assert np.array_equal(np.stack([lazy, lazy]), np.stack([X, X]))
    assert bool(LazyArray(lambda: np.array(True)))
    assert int(LazyArray(lambda: np.array(3))) == 3


def test_a_lazy_argument_is_sent_as_the_array():
    """Also inside lists and dictionaries."""
    subject, _ = counted()
    layer = subject.build(CONFIG)
    y = layer.train(X)
    layer.write(State(*(y[0] for _ in range(3)), running_var=abs(y[1])))
    assert np.array_equal(layer.state.gamma, y[0])
