"""The ways in which a module may be told its mode, in the order of preference."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from flax import nnx

from conformance.adapters.calling import Calling
from conformance.adapters.recognition.names import MODE_METHODS
from conformance.adapters.synonyms import trains_if_true


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to choose the mode.

    Attributes:
        calling: How the module is called; without a layout.
        known: The name says which value trains.
        words: What it is, for the explanation.
    """

    calling: Calling
    known: bool
    words: str


NO_MODE = Mode(Calling(flag=None), known=True, words="no mode")


def list_modes(module: Any) -> list[Mode]:
    """Return the candidates: known names first; among them arguments of the call first."""
    found = [
        *_list_arguments(module),
        *_list_methods(module),
        *_list_setters(module),
        *_list_attributes(module),
    ]
    found.sort(key=lambda mode: not mode.known)  # stable
    return [*found, NO_MODE]


def invert(mode: Mode) -> Mode:
    """Return the mode with the other polarity."""
    return replace(mode, calling=replace(mode.calling, inverted=not mode.calling.inverted))


def _mode(flag: str, name: str, words: str) -> Mode:
    trains = trains_if_true(name)
    return Mode(Calling(flag=flag, inverted=trains is not False), trains is not None, words)


def read_call(module: Any) -> list[inspect.Parameter]:
    """Return the parameters of a call after the input."""
    parameters = list(inspect.signature(type(module).__call__).parameters.values())[1:]
    return parameters[1:] if parameters and parameters[0].kind in _POSITIONAL else parameters


_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)


def _list_arguments(module: Any) -> Iterator[Mode]:
    for each in read_call(module):
        if each.kind is each.VAR_KEYWORD:
            for name in ("use_running_average", "training", "train", "deterministic"):
                yield replace(_mode(name, name, f"the call's **{each.name}"), known=False)
            continue
        if each.kind is each.VAR_POSITIONAL:
            continue
        boolean = isinstance(each.default, bool) or each.annotation in (bool, "bool")
        if trains_if_true(each.name) is not None or boolean or each.default is each.empty:
            yield _mode(each.name, each.name, f"the call's argument {each.name}")


def _own_methods(module: Any) -> dict[str, Any]:
    """Return the public methods that the class itself defines, not ``nnx.Module``."""
    bases = [base for base in type(module).__mro__ if not base.__module__.startswith("flax.")]
    return {
        name: value
        for base in reversed(bases)
        for name, value in vars(base).items()
        if inspect.isfunction(value) and not name.startswith("__")
    }


def _list_methods(module: Any) -> Iterator[Mode]:
    own = _own_methods(module)
    for train, evaluate in MODE_METHODS:
        if train in own and evaluate in own:
            words = f"the methods {train}() and {evaluate}()"
            yield Mode(Calling(flag=f"{train}()/{evaluate}()"), known=True, words=words)


_VALUES = ("mode", "value", "flag", "on", "enabled", "state")


def _list_setters(module: Any) -> Iterator[Mode]:
    for name, method in _own_methods(module).items():
        parameters = list(inspect.signature(method).parameters.values())[1:]
        if not parameters or any(p.default is p.empty for p in parameters[1:]):
            continue
        argument = parameters[0].name
        meaning = argument
        if trains_if_true(argument) is None and (name.startswith("set_") or argument in _VALUES):
            meaning = name.removeprefix("set_").removesuffix("_mode")
        if (
            trains_if_true(meaning) is not None
            and parameters[0].kind is not parameters[0].VAR_KEYWORD
        ):
            yield _mode(f"{name}({argument})", meaning, f"the method {name}({argument}=…)")


def _list_attributes(module: Any) -> Iterator[Mode]:
    unknown = []
    nodes = [(p, node) for p, node in nnx.iter_graph(module) if isinstance(node, nnx.Module)]
    for path, node in sorted(nodes, key=lambda each: len(each[0])):
        for name, value in vars(node).items():
            if name.startswith("_pytree__") or not (isinstance(value, bool) or value is None):
                continue
            if value is None and trains_if_true(name) is None:
                continue
            full = ".".join(map(str, (*path, name)))
            mode = _mode(f".{full}", name, f"the attribute {full}")
            if mode.known:
                yield mode
            else:
                unknown.append(mode)
    yield from unknown
