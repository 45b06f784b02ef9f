"""Calls a layer: arrays are copied to NumPy, its exceptions become violations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from conformance.adapters import call_hooks
from conformance.adapters.errors import describe
from conformance.adapters.protocols import ARRAYS, COUNT, Config, Layer
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State
from conformance.properties.support.checks import ViolationFound, check_same, violation
from conformance.requirements.finding import MISSING, NUMERIC_ARRAY, RESULT, FindingKind

AnyArray = npt.NDArray[Any]

CONSTRUCT, WRITE = "the constructor", "writing the state"
"""The operations that bring a layer into the state of a case."""


@contextmanager
def calling(operation: str, arguments: str = "") -> Iterator[None]:
    """Turn an exception of the implementation into a violation of the requirement judged.

    Args:
        operation: What is called, such as "the call".
        arguments: The arguments that matter to a reader, such as "momentum=0.9".
    """
    call_hooks.notify_operation(operation, arguments)
    try:
        yield
    except ViolationFound:
        raise
    except BaseException as error:
        if not call_hooks.is_implementation_error(error):
            raise
        try:
            quantity = f"{operation} with {arguments}" if arguments else operation
            kind = FindingKind.RAISED
            violation(quantity, describe(error), RESULT, kind=kind, operation=operation)
        except AssertionError as found:
            raise found from error


def as_numpy(what: str, value: Any) -> AnyArray:
    """Copy a returned array.

    Args:
        what: The name of the array in a violation.
        value: What the implementation returned.

    Raises:
        ViolationFound: The value is not a numeric array.
    """
    try:
        array = np.array(value)
        numeric = array.dtype != object and array.astype(np.float64) is not None
    except Exception:  # noqa: BLE001  whatever conversion raises, it is not an array
        numeric = False
    if not numeric:
        violation(what, type(value).__name__, NUMERIC_ARRAY, kind=FindingKind.NOT_ARRAY)
    return array


@dataclass(frozen=True, slots=True)
class LayerHandle:
    """A live layer; every call returns copies, never views of its state.

    Attributes:
        layer: The layer, as its adapter drives it.
        fresh_config: What it was constructed with.
        conventions: The conventions that it is judged by.
    """

    layer: Layer
    fresh_config: Config
    conventions: Conventions = STRICT

    def call(self, x: Any, flag: Any) -> AnyArray:
        """Apply the layer with a raw flag and return y.

        Args:
            x: The batch, (N, D).
            flag: The value of ``use_running_average``.

        Returns:
            y, (N, D), as the layer returned it.
        """
        with calling("the call", f"use_running_average={flag!r}"):
            return as_numpy("y", self.layer(x, flag))

    def train(self, x: Any) -> AnyArray:
        """Apply the layer to x, (N, D), in training mode and return y, (N, D)."""
        return self.call(x, False)

    def evaluate(self, x: Any) -> AnyArray:
        """Apply the layer to x, (N, D), in evaluation mode and return y, (N, D)."""
        return self.call(x, True)

    @property
    def raw(self) -> dict[str, Any]:
        """The four arrays as the layer stores them; a missing one is a violation."""
        held = self._read()
        return {name: held[name] for name in ARRAYS}

    def _read(self) -> dict[str, Any]:
        with calling("reading the state"):
            held = dict(self.layer.read())
        for name in ARRAYS:
            if name not in held:
                expected = f"an array of shape ({self.fresh_config.features},)"
                violation(name, MISSING, expected, kind=FindingKind.MISSING)
        return held

    @property
    def state(self) -> State:
        """A copy of the four arrays, whose shapes and dtypes are those of the layer."""
        held = self._read()
        arrays = {name: as_numpy(name, held[name]) for name in ARRAYS}
        return State(**arrays, count=self._count(held) if self.conventions.counts() else None)

    def _count(self, held: dict[str, Any]) -> Any:
        """Return the number of updates that the layer reports for its averages."""
        if COUNT not in held:
            expected = "the number of updates, by the declared deviation"
            violation(COUNT, MISSING, expected, kind=FindingKind.MISSING)
        return self.conventions.as_count(as_numpy(COUNT, held[COUNT]))

    @property
    def usable_state(self) -> State:
        """The state as the starting point of an expectation; each array must be (D,)."""
        state = self.state
        for name, array in state.arrays().items():
            check_same(f"shape of {name}", array.shape, (self.fresh_config.features,))
        return state

    def write(self, state: State) -> None:
        """Replace all four arrays from outside, by copies: a layer may keep and change them."""
        age = {} if state.count is None else {COUNT: np.asarray(state.count)}
        arrays = {name: array.copy() for name, array in state.arrays().items()}
        with calling(WRITE):
            self.layer.write({**arrays, **age})

    @property
    def attributes(self) -> dict[str, str]:
        """The Python attributes that are not state, rendered; empty if none can be read."""
        with calling("reading the attributes"):
            return dict(getattr(self.layer, "attributes_now", dict)())

    def restore(self) -> LayerHandle:
        """Return a copy that was taken apart and put together by means of the framework.

        A layer whose adapter offers no such means is returned as it is.
        """
        restore = getattr(self.layer, "restored", None)
        if restore is None:
            return self
        with calling("taking the layer apart and putting it together again"):
            return replace(self, layer=restore())

    @property
    def module(self) -> Any:
        """The live ``nnx.Module``; only for requirements that need the capability."""
        return cast("Any", self.layer).module

    def with_layer(self, layer: Layer) -> LayerHandle:
        """Return the same handle on another layer."""
        return replace(self, layer=layer)

    def with_module(self, module: Any) -> LayerHandle:
        """Return the same handle on another module."""
        return replace(self, layer=cast("Any", self.layer).around(module))
