"""The ways in which a module may be told its mode, in the order of preference."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from flax import nnx

from conformance.adapters.annotations import hints_of
from conformance.adapters.calling import Calling
from conformance.adapters.recognition.names import MODE_METHODS, MODE_NAMES
from conformance.adapters.recognition.words import list_words, may_be_word, pair_words
from conformance.adapters.synonyms import normalize, trains_if_true


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
    calling = mode.calling
    if calling.values is not None:
        return replace(mode, calling=replace(calling, values=calling.values[::-1]))
    return replace(mode, calling=replace(calling, inverted=not calling.inverted))


def _mode(flag: str, name: str, words: str) -> Mode:
    trains = trains_if_true(name)
    return Mode(Calling(flag=flag, inverted=trains is not False), trains is not None, words)


def _word_modes(flag: str, words: str, value: object, hint: object = None) -> Iterator[Mode]:
    known = list_words(hint) is not None  # else one word at least is guessed
    for pair in pair_words(value, hint):
        shown = " and ".join(map(repr, pair))
        yield Mode(Calling(flag=flag, values=pair), known=known, words=f"{words}, {shown}")


def list_possible_words(module: Any) -> list[str]:
    """Return the arguments of a call that may be a word for the mode."""
    hints = hints_of(type(module).__call__)
    return [each.name for each in read_call(module) if may_be_word(each, hints.get(each.name))]


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
    hints = hints_of(type(module).__call__)
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
        if trains_if_true(each.name) is None and may_be_word(each, hints.get(each.name)):
            words = f"the call's argument {each.name}"
            hint = hints.get(each.name, type(each.default))
            yield from _word_modes(each.name, words, each.default, hint)


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
        elif normalize(argument) in MODE_NAMES:
            yield from _word_modes(f"{name}({argument})", f"the method {name}({argument}=…)", None)


def _list_attributes(module: Any) -> Iterator[Mode]:
    unknown = []
    nodes = [(p, node) for p, node in nnx.iter_graph(module) if isinstance(node, nnx.Module)]
    for path, node in sorted(nodes, key=lambda each: len(each[0])):
        for name, value in vars(node).items():
            if isinstance(value, str) and not name.startswith("_pytree__"):
                full = ".".join(map(str, (*path, name)))
                yield from _word_modes(f".{full}", f"the attribute {full}", value)
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
