"""How a module is called: where the mode goes, and the layout of its inputs.

Imports the standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from conformance.adapters.errors import AdapterError

_METHODS = re.compile(r"(\w+)\(\)/(\w+)\(\)")
_SETTER = re.compile(r"(\w+)\((\w+)\)")
_PATH = re.compile(r"\w+(\.\w+)*")

FLAG_FORMS = (
    '"train" for an argument of the call, ".training" for an attribute, "train()/eval()" for two '
    'methods, "set_view(deterministic)" for a method with that argument, None for no mode at all'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The layout in which a layer takes a batch.

    Rows (N, D) become (n, …, D), or (n, D, …), with n·… = N; the sizes vary with N.

    Attributes:
        ndim: The number of axes.
        first: The features are on axis 1, instead of on the last.
    """

    ndim: int = 2
    first: bool = False

    def spread(self, rows: Any) -> Any:
        """Return rows, (N, D), in the layout; anything but rows as it is."""
        if self.ndim == 2 or _rank(rows) != 2:
            return rows
        features = rows.shape[1]
        native = rows.reshape(*factorize(rows.shape[0], self.ndim - 1), features)
        return native.transpose(self.order) if self.first else native

    def spread_mask(self, mask: Any) -> Any:
        """Return a mask of rows, (N,) or (N, 1), in the layout."""
        if self.ndim == 2 or _rank(mask) != 1:
            return self.spread(mask)
        return mask.reshape(factorize(mask.shape[0], self.ndim - 1))

    def gather(self, y: Any, rows: Any, native: Any) -> Any:
        """Return y as rows, (N, D), if it has the shape of the input; else as it is.

        Args:
            y: What a call returned.
            rows: The input as rows, (N, D).
            native: The input in the layout.
        """
        if native is rows or getattr(y, "shape", None) != native.shape:
            return y
        if self.first:
            y = y.transpose(self.inverse_order)
        return y.reshape(rows.shape)

    @property
    def order(self) -> tuple[int, ...]:
        """The axes of a batch with the features last, in the order of one with them on axis 1."""
        return (0, self.ndim - 1, *range(1, self.ndim - 1))

    @property
    def inverse_order(self) -> tuple[int, ...]:
        """The axes of a batch with the features on axis 1, in the order of one with them last."""
        return (0, *range(2, self.ndim), 1)


def _rank(value: Any) -> int:
    return len(getattr(value, "shape", ()))


ROWS = Layout()
"""Inputs of shape (N, D)."""


@cache
def factorize(rows: int, axes: int) -> tuple[int, ...]:
    """Return the sizes of several axes with as many elements as there are rows.

    The prime factors go to the axes in turn, starting with another one for another number of rows,
    so that every axis is 1 for some numbers of rows and larger for others.

    Args:
        rows: N.
        axes: The number of axes.
    """
    if rows == 0:
        return (0, *[1] * (axes - 1))
    sizes, rest, prime, axis = [1] * axes, rows, 2, rows % axes
    while rest > 1:
        while rest % prime == 0:
            sizes[axis] *= prime
            rest, axis = rest // prime, (axis + 1) % axes
        prime += 1
    return tuple(sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """How a module is called; equal values are one key for compiled programs.

    Attributes:
        flag: Where the mode goes; see ``FLAG_FORMS``.
        inverted: A true value trains, instead of evaluating.
        values: The words that train and that evaluate, such as ``("train", "eval")``, if the mode
            is not a boolean.
        layout: The layout of the input.
        takes_numpy: NumPy arrays are passed as they are, and not made JAX arrays before.
    """

    flag: str | None = "use_running_average"
    inverted: bool = False
    values: tuple[str, str] | None = None
    layout: Layout = ROWS
    takes_numpy: bool = True

    def __post_init__(self) -> None:
        if self.flag is None or self.takes_argument:
            return
        path = _PATH.fullmatch(self.flag.removeprefix("."))
        if path is None and self.methods is None and self.setter is None:
            msg = f"flag={self.flag!r} does not say how the mode is chosen: give {FLAG_FORMS}."
            raise AdapterError(msg)

    @property
    def takes_argument(self) -> bool:
        """Whether the mode is an argument of the call."""
        return self.flag is not None and self.flag.isidentifier()

    @property
    def takes_flag(self) -> bool:
        """Whether it is one that is 0 or 1, in any encoding."""
        return self.takes_argument and self.values is None

    @property
    def methods(self) -> tuple[str, str] | None:
        """The two methods that choose the mode, if there are such."""
        found = _METHODS.fullmatch(self.flag or "")
        return None if found is None else (found[1], found[2])

    @property
    def setter(self) -> tuple[str, str] | None:
        """The method that chooses the mode and its argument, if there is one."""
        found = _SETTER.fullmatch(self.flag or "")
        return None if found is None else (found[1], found[2])

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Calling:
        """Return the value that ``dataclasses.asdict`` made a dict of."""
        values = data.get("values")
        both = {"layout": Layout(**data["layout"]), "values": values and tuple(values)}
        return cls(**{**data, **both})

    def apply(self, module: Any, x: Any, use_running_average: Any, **more: Any) -> Any:
        """Call a module.

        Args:
            module: The module.
            x: The batch, (N, D).
            use_running_average: True to evaluate, false to train.
            **more: Further arguments of the call.

        Returns:
            y, (N, D).
        """
        native = self.layout.spread(x)
        return self.layout.gather(
            self.native(module, native, use_running_average, **more), x, native
        )

    def native(self, module: Any, x: Any, use_running_average: Any, **more: Any) -> Any:
        """Call a module on a batch in its layout; return y as the module returns it."""
        if not self.takes_numpy:
            x, more = _on_device(x), {name: _on_device(each) for name, each in more.items()}
        if self.flag is None:
            return module(x, **more)
        if self.takes_argument:
            return module(x, **{self.flag: self._value(use_running_average)}, **more)
        with self._mode(module, self._value(bool(use_running_average))):
            return module(x, **more)

    def _value(self, use_running_average: Any) -> Any:
        """Return what the module takes for a mode."""
        if self.values is not None:
            return self.values[bool(use_running_average)]
        return _invert(use_running_average) if self.inverted else use_running_average

    @contextmanager
    def _mode(self, module: Any, value: Any) -> Iterator[None]:
        """Put a module into a mode, and back into that of training, as far as it is known."""
        enter, leave = self._switches(module, value)
        enter()
        try:
            yield
        finally:
            leave()

    def _switches(self, module: Any, value: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
        assert self.flag is not None  # noqa: S101
        training = self._value(False)
        if self.methods is not None:
            train, evaluate = (getattr(module, name) for name in self.methods)
            return (evaluate if value else train), train
        if self.setter is not None:
            setter, argument = self.setter
            change = getattr(module, setter)
            return partial(change, **{argument: value}), partial(change, **{argument: training})
        owner, (*path, name) = module, self.flag.removeprefix(".").split(".")
        for part in path:
            owner = getattr(owner, part)
        getattr(owner, name)  # a module without it has another way to choose the mode
        return partial(setattr, owner, name, value), partial(setattr, owner, name, training)

    def begin(self, module: Any) -> None:
        """Put a new module into training mode, in which every call leaves it."""
        if self.flag is not None and not self.takes_argument:
            self._switches(module, self._value(False))[0]()


def _on_device(value: Any) -> Any:
    import jax.numpy as jnp  # noqa: PLC0415  only layers that refuse NumPy arrays need it

    return jnp.asarray(value) if hasattr(value, "shape") else value


DEFAULT = Calling()
"""Rows, and the argument ``use_running_average``."""


_MEANINGS = {"evaluation": False, "training": True}
_LAYOUTS = {"last": False, "first": True}
_RANKS = range(2, 6)


def calling_of(
    flag: str | None,
    flag_means: str,
    layout: str,
    ndim: int,
    flag_values: tuple[str, str] | None = None,
    *,
    takes_numpy: bool = True,
) -> Calling:
    """Return how a module is called, from what its author says.

    Args:
        flag: See ``FLAG_FORMS``.
        flag_means: What a true value means, "evaluation" or "training".
        layout: Where the features are: "last", or "first" for axis 1.
        ndim: The number of axes of the input.
        flag_values: The words that train and that evaluate, if the mode is not a boolean.
        takes_numpy: Whether it can be called with NumPy arrays.

    Raises:
        AdapterError: A value is none of these.
    """
    for name, given, choices in (
        ("flag_means", flag_means, _MEANINGS),
        ("layout", layout, _LAYOUTS),
        ("ndim", ndim, _RANKS),
    ):
        if given not in choices:
            msg = f"{name}={given!r}: expected one of {', '.join(map(repr, choices))}."
            raise AdapterError(msg)
    if flag is not None and "()/" in flag and _MEANINGS[flag_means]:
        msg = f"flag={flag!r} names the method that trains first: leave flag_means out."
        raise AdapterError(msg)
    if flag_values is not None:
        _check_values(flag, flag_means, flag_values)
    place = Layout(ndim=ndim, first=_LAYOUTS[layout])
    inverted = _MEANINGS[flag_means]
    return Calling(
        flag=flag, inverted=inverted, values=flag_values, layout=place, takes_numpy=takes_numpy
    )


def _check_values(flag: str | None, flag_means: str, flag_values: tuple[str, str]) -> None:
    words = isinstance(flag_values, tuple) and [type(each) for each in flag_values] == [str, str]
    if not words or flag_values[0] == flag_values[1]:
        msg = (
            f"flag_values={flag_values!r}: expected two different words, that which trains first, "
            'such as ("train", "eval").'
        )
        raise AdapterError(msg)
    if flag is None or "()/" in flag or _MEANINGS[flag_means]:
        msg = (
            f"flag_values={flag_values!r} says which word trains: give flag=… with the place of "
            "the mode, and leave flag_means out."
        )
        raise AdapterError(msg)


def _invert(flag: Any) -> Any:
    """Return the other of 0 and 1, in the type of the flag."""
    if isinstance(flag, bool):
        return not flag
    is_bool = getattr(getattr(flag, "dtype", None), "kind", "") == "b"
    return ~flag if is_bool else 1 - flag
