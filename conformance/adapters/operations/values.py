"""What operations take and return: arrays, plain values, and references to live objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ATOMS = frozenset({type(None), bool, int, float, str})
"""The types of plain values that travel as they are."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to an object that stays where the implementation is.

    Attributes:
        number: The number under which the executor keeps it during a case.
    """

    number: int


_PLAIN = {"float": float, "bool": bool, "int": int}


@dataclass(frozen=True, slots=True)
class Given:
    """An argument in the form in which a layer is to receive it.

    Attributes:
        value: A number, or an array.
        form: A key of ``conformance.adapters.operations.forms.FORMS``, such as "np.float32".
    """

    value: Any
    form: str

    def __repr__(self) -> str:
        if self.form in _PLAIN:
            return repr(_PLAIN[self.form](self.value))
        shown = "x" if isinstance(self.value, np.ndarray) else repr(self.value)
        before, _, after = self.form.partition("{}")
        return f"{before}({shown}{after})"


@dataclass(frozen=True, slots=True)
class Live:
    """A result that is kept by the executor, which returns a ``Ref``."""

    value: Any


@dataclass(frozen=True, slots=True)
class NotNumeric:
    """What takes the place of a result that is not an array of numbers.

    Attributes:
        type_name: The name of its type.
    """

    type_name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation to be executed.

    Attributes:
        name: A key of ``conformance.adapters.operations.catalogue.OPERATIONS``.
        arguments: Its arguments: arrays, plain values, ``Given`` and ``Ref``, also in lists,
            tuples and dictionaries.
        result: The number under which to keep a result that is ``Live``; None for none.
        label: What is done, in the words of a violation, such as "the call".
        detail: The arguments that matter to a reader, such as "momentum=0.9".
    """

    name: str
    arguments: tuple[Any, ...]
    result: int | None = None
    label: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """An operation that raised; those after it were not executed.

    Attributes:
        before: The results of the operations before it.
        text: The class of the exception, and the first line of its message.
        refused: The exception is an ``Exception``, not an attempt to end the process.
        of_suite: The environment is to blame, such as a full disk, and not the implementation.
        place: File and line of the implementation that raised, for a reader; empty if unknown.
        error: The exception, if it was raised in this process.
    """

    before: list[Any]
    text: str
    refused: bool = True
    of_suite: bool = False
    place: str = ""
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Impossible:
    """What an operation returns if the environment, not the implementation, prevents it.

    It is returned, not raised, so that no exception of an implementation can be taken for it.

    Attributes:
        reason: Why, and the next step.
    """

    reason: str


_NUMBERS = "fiubc"
"""Kinds of dtype that NumPy converts to a number, complex ones with a warning."""

_NOT_NUMBERS = "OSUmM"
"""Kinds of dtype: objects, bytes, text, and times."""


def numbers(value: Any) -> np.ndarray[Any, Any] | NotNumeric:
    """Copy a returned array.

    Args:
        value: What the implementation returned.

    Returns:
        The copy; ``NotNumeric`` if it is not an array of numbers.
    """
    try:
        array = np.array(value)
        kind = array.dtype.kind
        if kind in _NUMBERS:
            return array
        numeric = kind not in _NOT_NUMBERS and array.dtype.names is None
        numeric = numeric and array.astype(np.float64) is not None
    except Exception:  # noqa: BLE001  whatever conversion raises, it is not an array
        numeric = False
    return array if numeric else NotNumeric(type(value).__name__)
