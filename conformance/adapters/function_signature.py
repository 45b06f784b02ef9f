"""The names of a pure function's arguments, by what the suite passes.

Imports the standard library only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.adapters.calling import Calling, calling_of
from conformance.adapters.driver_options import FunctionOptions, check_options
from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS, Config
from conformance.adapters.synonyms import (
    INPUT_NAMES,
    PARAMETER_TREES,
    STATE_TREES,
    VARIABLE_TREES,
    find_argument,
    find_flag,
    find_name,
    role_of,
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Signature:
    """A function and its names.

    Attributes:
        function: The function.
        x: Name of the argument for the batch.
        arrays: Arguments that are arrays, by the names in ``ARRAYS``.
        entries: Names of the arrays that are entries of trees: "" for one to look for.
        trees: Arguments that are trees of arrays.
        numbers: Arguments by "momentum" and "eps".
        calling: The flag and the layout.
        returns: What the results are, in their order; empty to find out.
        initialize: Makes new trees by argument.
        arguments: Further arguments.
        momentum_of_new: The argument for momentum weights the new value.
    """

    function: Callable[..., Any]
    x: str
    arrays: Mapping[str, str]
    entries: Mapping[str, str]
    trees: tuple[str, ...]
    numbers: Mapping[str, str]
    calling: Calling
    returns: tuple[str, ...]
    initialize: Callable[[int], Mapping[str, Any]] | None
    arguments: Mapping[str, Any]
    momentum_of_new: bool

    def invoke(self, values: Mapping[str, Any], config: Config) -> Any:
        """Call the function with its further arguments and its numbers.

        Args:
            values: x, arrays, trees and the flag, by argument.
            config: momentum and eps.
        """
        weight = 1 - config.momentum if self.momentum_of_new else config.momentum
        known = {"momentum": weight, "eps": config.eps}
        numbers = {own: known[ours] for ours, own in self.numbers.items()}
        named = {**self.arguments, **numbers, **values}
        positional = [p.name for p in _parameters(self.function) if p.kind is p.POSITIONAL_ONLY]
        first = [named.pop(name) for name in positional if name in named]
        return self.function(*first, **named)


def is_pure_form(function: Callable[..., Any]) -> bool:
    """Return whether a function takes running statistics, as arguments or in a tree."""
    names = [p.name for p in _parameters(function)]
    roles = {role_of(name) for name in names}
    return set(STATISTICS) <= roles or find_name((*STATE_TREES, *VARIABLE_TREES), names) is not None


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    with wrap_errors("the signature of the function", "cannot be read"):
        found = inspect.signature(function).parameters.values()
    return [p for p in found if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]


def read_signature(function: Callable[..., Any], options: FunctionOptions) -> Signature:
    """Return a function with its names: those that are given, and the known ones for the rest.

    Raises:
        AdapterError: Something is not found, or cannot be; the message has the line to write.
    """
    check_options("function", options, FunctionOptions)
    parameters = _parameters(function)
    free = {p.name: p.default is p.empty for p in parameters}
    arguments = dict(options.get("arguments", {}))
    line = f"Implementation.function({getattr(function, '__name__', '…')}, …)"
    for name in (own for own in arguments if own in free):
        del free[name]
    arrays, entries = _take_arrays(free, options)
    trees = tuple(
        n for n in free if find_name((*PARAMETER_TREES, *STATE_TREES, *VARIABLE_TREES), [n])
    )
    if "initialize" in options:
        trees = tuple(options["initialize"](1))
    _take(free, trees)
    mode, means = _take_flag(line, free, options)
    numbers = _take_numbers(free, options)
    x = options.get("x") or find_name(INPUT_NAMES, free) or next(iter(free), "")
    _take(free, [x])
    if left := [name for name, required in free.items() if required]:
        msg = (
            f"{line}: no known name stands for the argument {left[0]!r}: write "
            f"arguments={{{left[0]!r}: …}}, or gamma={left[0]!r} or another of {', '.join(ARRAYS)}."
        )
        raise AdapterError(msg)
    missing = [role for role in entries if not trees]
    if missing:
        shown = ", ".join(p.name for p in parameters)
        msg = (
            f"{line}: no argument ({shown}) has a known name for {missing[0]}: write "
            f"{missing[0]}=… with the name of the argument, or None if there is none."
        )
        raise AdapterError(msg)
    return Signature(
        function=function,
        x=x,
        arrays=arrays,
        entries=entries,
        trees=trees,
        numbers=numbers,
        calling=calling_of(mode, means, options.get("layout", "last"), options.get("ndim", 2)),
        returns=tuple(options.get("returns", ())),
        initialize=options.get("initialize"),
        arguments=arguments,
        momentum_of_new=options.get("momentum_weights", "old") == "new",
    )


def _take(free: dict[str, bool], names: Iterable[str]) -> None:
    for name in names:
        free.pop(name, None)


def _take_arrays(
    free: dict[str, bool], options: FunctionOptions
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the arguments that are arrays, and the names of arrays that are entries of trees."""
    arrays: dict[str, str] = {}
    entries: dict[str, str] = {}
    for role in (*STATISTICS, *PARAMETERS):
        given = options.get(role, "")
        if given is None:
            continue
        found = [str(given)] if given else [name for name in free if role_of(name) == role]
        found.sort(key=len, reverse=True)  # "mean" before "m", which may be momentum
        if found and found[0] in free:
            arrays[role] = found[0]
            _take(free, found[:1])
        else:
            entries[role] = str(given)
    return arrays, entries


def _take_numbers(free: dict[str, bool], options: FunctionOptions) -> dict[str, str]:
    """Return the arguments by "momentum" and "eps"."""
    given = {"momentum": options.get("momentum", ""), "eps": options.get("eps", "")}
    numbers: dict[str, str] = {}
    for role, own in given.items():
        known = find_argument(role, free) if role not in options.get("fixed", {}) else None
        if found := (known if own == "" else own):
            numbers[role] = found
            _take(free, [found])
    return numbers


def _take_flag(
    line: str, free: dict[str, bool], options: FunctionOptions
) -> tuple[str | None, str]:
    given, means = options.get("flag", ""), options.get("flag_means", "")
    if given is None:
        return None, means or "evaluation"
    found = find_flag([given] if given else free)
    if found is None and not (given and means):
        msg = (
            f"{line}: what is the mode? Write flag=… with the name of its argument (of "
            f'{", ".join(free)}) and flag_means="training" or "evaluation", or flag=None for none.'
        )
        raise AdapterError(msg)
    name, meaning = found or (str(given), means)
    _take(free, [name])
    return name, means or meaning
