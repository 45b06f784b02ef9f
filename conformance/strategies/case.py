"""Generated inputs as frozen NumPy values, and their literal form for readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics.state import Float32, State
from conformance.requirements.finding import finite_or_text


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A layer's configuration, its state, and one input.

    Attributes:
        config: The constructor arguments.
        state: The four arrays; None for a layer that is used as constructed.
        x: The input, (N, D) float32.
        as_jax: Whether x is passed as a JAX array instead of a NumPy array.
    """

    config: Config
    state: State | None
    x: Float32
    as_jax: bool = False

    def with_x(self, x: npt.NDArray[np.floating[Any]]) -> Case:
        """Return the case with another input.

        Args:
            x: The input, (N, D), which is rounded to float32.
        """
        return replace(self, x=np.ascontiguousarray(x, np.float32) + np.float32(0))


def literals(drawn: dict[str, Any]) -> dict[str, Any]:
    """Return drawn values as JSON values, by names that a reader knows.

    A ``Case`` contributes x, momentum, eps and the arrays of its state that differ from a fresh
    layer's; a named tuple contributes its fields, and a value with a method ``literals`` what that
    returns. Other values keep the name under which they were drawn.

    Args:
        drawn: The drawn values, by name.
    """
    shown: dict[str, Any] = {}
    for name, value in drawn.items():
        if isinstance(value, Case):
            shown |= _case_literals(value)
        elif hasattr(value, "_asdict"):
            shown |= literals(value._asdict())
        elif hasattr(value, "literals"):
            shown |= value.literals()
        else:
            shown[name] = literal(value)
    return shown


def literal(value: Any) -> Any:
    """Return one drawn value as JSON values; arrays become nested lists of short numbers."""
    if isinstance(value, np.ndarray):
        return [literal(item) for item in value]
    if isinstance(value, np.floating):
        shortest = float(str(value))  # the shortest that reads back as the same float32
        return finite_or_text(shortest)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, State):
        return {name: literal(array) for name, array in value.arrays().items()}
    if isinstance(value, Config):
        return {item.name: literal(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Case):
        return _case_literals(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [literal(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return finite_or_text(value)
    return repr(value)


def _case_literals(case: Case) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "x": literal(case.x),
        "momentum": case.config.momentum,
        "eps": case.config.eps,
    }
    if case.config.seed:
        shown["seed"] = case.config.seed
    if case.state is not None:
        fresh = State.fresh(case.config.features).arrays()
        shown |= {
            name: literal(array)
            for name, array in case.state.arrays().items()
            if not np.array_equal(array, fresh[name])
        }
    return shown
