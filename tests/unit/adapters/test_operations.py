"""The operations: their list, their executor, and the forms of arguments."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.numpy_norm import implementation

from conformance.adapters import operations
from conformance.adapters.implementation import Implementation
from conformance.adapters.nnx_restoring import COPIED, RESTORED
from conformance.adapters.operations.catalogue import COPIES, ON_TRUST, OPERATIONS, RESTORATIONS
from conformance.adapters.operations.executor import LocalExecutor
from conformance.adapters.operations.forms import CONTAINERS, FORMS, NUMPY_FORMS
from conformance.adapters.operations.values import (
    Failed,
    Given,
    Impossible,
    NotNumeric,
    Operation,
    Ref,
)

PACKAGE = Path(operations.__file__).parent
INFRASTRUCTURE = {
    *("catalogue", "evaluation", "executor", "expressions", "forms", "frames", "marks"),
    *("call_programs", "name_flow", "name_origins", "values", "wire"),
    *("attribute_origins", "other_expressions", "source_edits"),
    *("block_edits", "context_edits", "default_edits", "edit", "edited_functions"),
    "elsewhere_edits",
}
"""Modules that define no operation."""

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def public_functions(module: str) -> set[str]:
    """Return the public functions that a module defines itself."""
    found = vars(import_module(f"{operations.__name__}.{module}")).items()
    return {
        name
        for name, value in found
        if inspect.isfunction(value)
        and value.__module__.endswith(f".{module}")
        and not name.startswith("_")
    }


def test_the_list_is_closed():
    """The operations are the public functions of their modules, all of them."""
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"} - INFRASTRUCTURE
    assert set(OPERATIONS.values()) == modules
    for module in modules:
        listed = {name for name, where in OPERATIONS.items() if where == module}
        assert listed == public_functions(module)


def test_every_operation_says_what_it_takes_and_returns():
    """A docstring, and a parameter for each argument, none of them optional."""
    for name, module in OPERATIONS.items():
        function = getattr(import_module(f"{operations.__name__}.{module}"), name)
        assert function.__doc__
        for parameter in inspect.signature(function).parameters.values():
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            assert parameter.default is parameter.empty


def test_ways_of_copying_are_listed():
    """The judging process, which cannot import the functions, knows their names."""
    assert tuple(COPIED) == COPIES
    assert tuple(RESTORED) == RESTORATIONS
    assert set(OPERATIONS) >= ON_TRUST


def test_forms_say_how_they_are_written():
    """A form without JAX, for a layer of NumPy, gives the same values as the form itself."""
    assert set(NUMPY_FORMS) == set(FORMS) >= set(CONTAINERS)
    for form, make in FORMS.items():
        value = X if form in CONTAINERS else 1
        assert np.array_equal(np.asarray(make(value)), np.asarray(NUMPY_FORMS[form](value)))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (Given(1, "np.float32"), "np.float32(1)"),
        (Given(1, "float"), "1.0"),
        (Given(0, "bool"), "False"),
        (Given(True, "np.array{}, np.bool_"), "np.array(True, np.bool_)"),
        (Given(2, "jnp.asarray{}, jnp.int32"), "jnp.asarray(2, jnp.int32)"),
        (Given(X, "np.copy"), "np.copy(x)"),
    ],
)
def test_arguments_are_shown_as_they_are_written(given: Given, shown: str):
    """In violations, and in scripts."""
    assert repr(given) == shown


class Recorder:
    """A layer that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any]] = []

    def __call__(self, x: Any, flag: Any) -> Any:
        self.calls.append((x, flag))
        return x


def executing(layer: Any, forms: Any = FORMS) -> LocalExecutor:
    return LocalExecutor(Implementation(name="recorder", build=lambda _: layer), forms)


def build(result: int = 1) -> Operation:
    return Operation("build", (3, 0.5, 1e-5, 0), result)


def test_results_stay_or_are_copied():
    """A layer stays under the number that the request chose; what a call returns is a copy."""
    executor = LocalExecutor(implementation())
    built, y = executor.perform([build(), Operation("call", (Ref(1), X, False))])
    assert built is None
    assert executor.perform([Operation("name_type", (Ref(1),))]) == ["NumpyNorm"]
    assert y.shape == X.shape
    executor.begin_case()
    assert executor.perform([Operation("name_type", (Ref(1),))]).text == "KeyError: 1"


def test_arguments_are_made_where_the_layer_is():
    """Arrays are copies, in the form that was asked for; an input that is kept is one object."""
    layer = Recorder()
    executor = executing(layer)
    given = Given(X, "read_only")
    executor.perform(
        [
            build(),
            Operation("put", (given,), 2),
            Operation("call", (Ref(1), Ref(2), Given(1, "np.float32"))),
            Operation("call", (Ref(1), Ref(2), True)),
            Operation("call", (Ref(1), X, False)),
        ]
    )
    (first, flag), (second, _), (third, _) = layer.calls
    assert first is second
    assert not first.flags.writeable
    assert type(flag) is np.float32
    assert third is not X
    assert np.array_equal(third, X)


@pytest.mark.parametrize(
    "returned",
    [None, "1.5", object(), [[1], [2, 3]], np.array([None]), {"y": 1}, 10**6000],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_array_is_named_by_its_type(returned: object):
    """The name of the type is all that leaves the process."""
    executor = LocalExecutor(Implementation(name="f", forward=lambda *_: returned))
    (result,) = executor.perform([Operation("forward", (0, X, True))])
    assert result == NotNumeric(type(returned).__name__)


class Raising(Recorder):
    """A layer whose calls raise."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def __call__(self, *_: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "refused"), [(ValueError("no\nmore"), True), (SystemExit(0), False)]
)
def test_the_first_failure_ends_a_request(error: BaseException, refused: bool):
    """With the results before it, and the first line of what was raised."""
    executor = executing(Raising(error))
    call = Operation("call", (Ref(1), X, True))
    failed = executor.perform([build(), Operation("put", (X,), 2), call, call])
    text = "ValueError: no" if refused else "SystemExit: 0"
    assert failed.place.startswith("test_operations.py, line ")
    assert failed == Failed([None, None], text, refused, place=failed.place, error=error)
    assert executor.perform([Operation("put", (1,), 3)]) == [None]


def test_failures_of_the_environment_are_not_those_of_the_layer(monkeypatch: pytest.MonkeyPatch):
    """A full disk is not a violation; the reason is what is reported."""
    from conformance.adapters.operations import layer_calls  # noqa: PLC0415

    reason = "OSError: [Errno 28] No space left on device"
    monkeypatch.setattr(layer_calls, "put", lambda _: Impossible(reason))
    from conformance.adapters.operations import executor as module  # noqa: PLC0415

    module.find_function.cache_clear()
    failed = executing(Recorder()).perform([Operation("put", (1,), 1)])
    module.find_function.cache_clear()
    assert isinstance(failed, Failed)
    assert failed.of_suite
    assert failed.text == reason


def test_interrupts_of_the_user_go_through():
    """In a process that nobody supervises, Ctrl-C is not an exception of the layer."""
    executor = executing(Raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        executor.perform([build(), Operation("call", (Ref(1), X, True))])
