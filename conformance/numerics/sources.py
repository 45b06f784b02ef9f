"""Values that know how they were computed, so that a script can compute them again.

Values of these types act as plain ones. They exist only while a counterexample is recorded: every
result of an operation is one, and whatever NumPy, or a ``formula``, computes from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from itertools import count
from typing import Any, TypeVar

import numpy as np

from conformance.adapters.operations.values import NotNumeric

F = TypeVar("F", bound=Callable[..., Any])

_order = count()

_MADE: set[type] = set()
"""Empty until a value of this process has a source, so that judging does not look for any."""


@dataclass(slots=True, eq=False)
class Source:
    """How a value is computed.

    Attributes:
        template: Source text, with ``{}`` for each operand.
        operands: Sources, plain values, and containers of both.
        name: The variable for the value; empty for an expression.
        functions: Functions of the suite that the text names.
        effect: Whether computing the value changes something.
        order: When it was computed.
    """

    template: str
    operands: tuple[Any, ...] = ()
    name: str = ""
    functions: tuple[Callable[..., Any], ...] = ()
    effect: bool = False
    order: int = field(default_factory=_order.__next__)

    def __post_init__(self) -> None:
        _MADE.add(Source)


@dataclass(frozen=True, slots=True)
class Subscript:
    """An index, as an operand."""

    index: Any


class SourcedArray(np.ndarray):
    """An array with its source; None if it is a literal by now."""

    source: Source | None = None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        plain = [plain_of(each) for each in inputs]
        outputs = keywords.pop("out", ())
        if outputs:
            for each in outputs:
                if isinstance(each, SourcedArray):
                    each.source = None
            keywords["out"] = tuple(plain_of(each) for each in outputs)
        result = getattr(ufunc, method)(*plain, **{n: plain_of(v) for n, v in keywords.items()})
        if outputs:
            return outputs[0]
        if not isinstance(result, np.ndarray | np.generic):
            return result
        template = _SYMBOLS.get(ufunc.__name__, "") if method == "__call__" and not keywords else ""
        if template:
            return _array(result, Source(template, operands_of(inputs)))
        text = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        return _array(result, _call_of(text, inputs, keywords))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        result = func(*plain_of(args), **plain_of(kwargs))
        if not isinstance(result, np.ndarray | np.generic):
            return result
        return _array(result, _call_of(f"np.{func.__name__}", args, kwargs))

    def __getitem__(self, index: Any) -> Any:
        result = np.asarray(self)[plain_of(index)]
        if not isinstance(result, np.ndarray):
            return result
        return _array(result, Source("{}[{}]", operands_of((self, Subscript(index)))))

    def __setitem__(self, index: Any, value: Any) -> None:
        self.source = None
        np.asarray(self)[plain_of(index)] = plain_of(value)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def copy(self, order: Any = "C") -> Any:
        """Return a copy, which has the same source."""
        return _array(np.asarray(self).copy(order), self.source)

    def astype(self, dtype: Any, *args: Any, **keywords: Any) -> Any:
        """Return the same numbers in another dtype."""
        if self.dtype == dtype:
            return self.copy()
        name = np.dtype(dtype).name
        spelled = f"{{}}.astype({'np' if hasattr(np, name) else 'jnp'}.{name})"
        changed = np.asarray(self).astype(dtype, *args, **keywords)
        return _array(changed, Source(spelled, operands_of((self,))))


def _method(name: str) -> Any:
    def call(self: SourcedArray, *args: Any, **keywords: Any) -> Any:
        result = getattr(np.asarray(self), name)(*plain_of(args), **plain_of(keywords))
        return _array(result, _call_of(f"{{}}.{name}", args, keywords, (self,)))

    return call


for _name in ("mean", "sum", "reshape", "max", "min"):
    setattr(SourcedArray, _name, _method(_name))

_SYMBOLS = {
    "add": "({} + {})",
    "subtract": "({} - {})",
    "multiply": "({} * {})",
    "divide": "({} / {})",
    "negative": "(-{})",
    "invert": "(~{})",
}


class _Sourced:
    """Mixed into plain types."""

    source: Source | None


class SourcedStr(_Sourced, str):
    """A text with its source."""


class SourcedInt(_Sourced, int):
    """An integer with its source."""


class SourcedBool(_Sourced, int):
    """A truth value with its source."""

    def __repr__(self) -> str:
        return repr(bool(self))

    __str__ = __repr__


class SourcedFloat(_Sourced, float):
    """A number with its source."""


class SourcedList(_Sourced, list):  # type: ignore[type-arg]
    """A list with its source."""


class SourcedTuple(_Sourced, tuple):  # type: ignore[type-arg]
    """A tuple with its source."""


class SourcedDict(_Sourced, dict):  # type: ignore[type-arg]
    """A dictionary with its source."""


@dataclass(frozen=True)
class SourcedOther(NotNumeric):
    """The place of a result that is not an array, with its source."""

    source: Source | None = None


_PLAIN = {str: SourcedStr, int: SourcedInt, bool: SourcedBool, float: SourcedFloat}

SOURCED = (SourcedArray, _Sourced, SourcedOther)


def attach(value: Any, source: Source) -> Any:
    """Return a value that knows its source, and so do its parts.

    Args:
        value: An array, a plain value, or a container of such values.
        source: How it is computed.
    """
    if isinstance(value, np.ndarray):
        return _array(value, source)
    if isinstance(value, NotNumeric):
        return SourcedOther(value.type_name, source)
    if isinstance(value, dict):
        parts = ((key, Source("{}[{}]", (source, key))) for key in value)
        made: Any = SourcedDict({key: attach(value[key], part) for key, part in parts})
    elif isinstance(value, list | tuple):
        kind = SourcedTuple if isinstance(value, tuple) else SourcedList
        made = kind(attach(v, Source("{}[{}]", (source, i))) for i, v in enumerate(value))
    elif type(value) in _PLAIN:
        made = _PLAIN[type(value)](value)
    else:
        return value
    made.source = source
    return made


def _array(value: Any, source: Source | None) -> Any:
    found = np.asarray(value).view(SourcedArray)
    found.source = source
    return found


class Deferred:
    """Base of values that are arrays when they are looked at."""

    __slots__ = ()

    def numpy(self) -> Any:
        """Return the array."""
        raise NotImplementedError


def plain_of(value: Any) -> Any:
    """Return a value without its source."""
    if isinstance(value, Deferred):
        value = value.numpy()
    if isinstance(value, SourcedArray):
        return value.view(np.ndarray)
    if isinstance(value, SourcedBool):
        return bool(value)
    if isinstance(value, SourcedStr | SourcedInt | SourcedFloat):
        return type(value).__mro__[2](value)
    if isinstance(value, SourcedOther):
        return NotNumeric(value.type_name)
    if isinstance(value, dict):
        return {plain_of(key): plain_of(each) for key, each in value.items()}
    if type(value) in {list, tuple, SourcedList, SourcedTuple}:
        kind = tuple if isinstance(value, tuple) else list
        return kind(map(plain_of, value))
    return value


def operands_of(value: Any) -> Any:
    """Return what a source has to remember of a value: sources, and copies of literals."""
    if isinstance(value, Deferred):
        value = value.numpy()
    if (source := source_of(value)) is not None:
        return source
    if isinstance(value, np.ndarray):
        return np.array(value)
    if isinstance(value, Subscript):
        return Subscript(operands_of(value.index))
    if isinstance(value, dict):
        return {plain_of(key): operands_of(each) for key, each in value.items()}
    if type(value) in {list, tuple, SourcedList, SourcedTuple}:
        kind = tuple if isinstance(value, tuple) else list
        return kind(map(operands_of, value))
    return value


def source_of(value: Any) -> Source | None:
    """Return the source of a value; None if it is a literal."""
    if isinstance(value, Deferred):
        value = value.numpy()
    return value.source if isinstance(value, SOURCED) else None


def _call_of(text: str, args: Any, keywords: Any, of: tuple[Any, ...] = ()) -> Source:
    given = ["{}"] * len(args) + [f"{name}={{}}" for name in keywords]
    operands = operands_of((*of, *args, *keywords.values()))
    return Source(f"{text}({', '.join(given)})", operands)


def is_sourced(value: Any) -> bool:
    """Return whether a value, or a part of it, has a source."""
    if isinstance(value, Deferred):
        value = value.numpy()
    kind = type(value)
    if kind is np.ndarray or kind is float:
        return False
    if kind is dict:
        return any(map(is_sourced, value.values()))
    if kind is list or kind is tuple:
        return any(map(is_sourced, value))
    return isinstance(value, SOURCED)


def formula(function: F) -> F:
    """Make a pure function of plain values one that a script copies and calls."""

    @wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        if not _MADE:
            return function(*args, **keywords)
        if not any(map(is_sourced, args)) and not any(map(is_sourced, keywords.values())):
            return function(*args, **keywords)
        result = function(*map(plain_of, args), **plain_of(keywords))
        source = _call_of(function.__name__, args, keywords)
        source.name, source.functions = function.__name__, (function,)
        return attach(result, source)

    return call  # type: ignore[return-value]
