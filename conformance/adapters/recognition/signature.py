"""Reads what a constructor takes, as far as ``**kwargs`` leads through the base classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from conformance.adapters.config_objects import find_config_arguments
from conformance.adapters.synonyms import argument_role_of


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a constructor.

    Attributes:
        name: Its name.
        default: Its default, or ``Parameter.empty`` of ``inspect``.
        inherited: It is that of a base class and reached through ``**kwargs``.
    """

    name: str
    default: Any
    inherited: bool = False

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Signature:
    """What a constructor takes.

    Attributes:
        parameters: Its parameters by name; those that a partial has bound are left out.
        is_open: It accepts any other keyword as well.
    """

    parameters: Mapping[str, Parameter]
    is_open: bool


def read_signature(found: Any) -> Signature:
    """Return what a class, a partial of one, or a function takes."""
    if isinstance(found, partial):
        return _without_bound(read_signature(found.func), found)
    own = list(_read_classes(found)) if inspect.isclass(found) else [inspect.signature(found)]
    parameters: dict[str, Parameter] = {}
    for index, signature in enumerate(own):
        for each in signature.parameters.values():
            if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
                new = Parameter(each.name, each.default, inherited=index > 0)
                parameters.setdefault(each.name, new)
    last = own[-1].parameters.values() if own else ()
    is_open = any(each.kind is each.VAR_KEYWORD for each in last)
    return Signature(_with_fields(found, parameters), is_open)


def _with_fields(found: Any, parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Return parameters with those that are configuration objects replaced by their fields."""
    known = {argument_role_of(name) for name in parameters}
    expanded = dict(parameters)
    for name, config in find_config_arguments(found).items():
        fields = config.fields
        if name in expanded and {argument_role_of(each) for each in fields} - known - {None}:
            del expanded[name]
            expanded |= {f"{name}.{own}": Parameter(f"{name}.{own}", fields[own]) for own in fields}
    return expanded


def _without_bound(signature: Signature, found: partial[Any]) -> Signature:
    """Return what a partial leaves open; its momentum and ε are defaults, all else is decided."""
    bound = {*list(signature.parameters)[: len(found.args)], *found.keywords}
    left = {name: each for name, each in signature.parameters.items() if name not in bound}
    for name, value in found.keywords.items():
        if argument_role_of(name) in {"momentum", "eps"}:
            left[name] = Parameter(name, value)
    return Signature(left, signature.is_open)


def _read_classes(found: type) -> Iterator[inspect.Signature]:
    """Yield the signature of each ``__init__``, as far as ``**kwargs`` leads through the bases.

    That of the class itself hides behind the metaclass of ``nnx.Module``.
    """
    for base in found.__mro__:
        init = vars(base).get("__init__")
        if init is None or base.__module__.startswith("flax.nnx.pytreelib") or base is object:
            continue
        signature = inspect.signature(init)
        rest = list(signature.parameters.values())[1:]
        if base is not found and {p.kind for p in rest} <= {inspect.Parameter.VAR_POSITIONAL}:
            continue
        yield signature.replace(parameters=rest)
        if all(each.kind is not each.VAR_KEYWORD for each in rest):
            return
