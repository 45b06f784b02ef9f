"""Constructor arguments that are fields of a configuration object, such as "config.features"."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from typing import Any, get_args

from conformance.adapters.annotations import hints_of
from conformance.adapters.synonyms import argument_role_of


@dataclasses.dataclass(frozen=True, slots=True)
class ConfigArgument:
    """A constructor argument that takes a configuration object.

    Attributes:
        make: The class of the object.
        default: The default of the argument; None if there is none.
    """

    make: Callable[..., Any]
    default: Any

    @property
    def fields(self) -> dict[str, Any]:
        """The defaults of its fields, by name, or ``Parameter.empty`` of ``inspect``."""
        parameters = inspect.signature(self.make).parameters.values()
        return {p.name: getattr(self.default, p.name, p.default) for p in parameters}

    def build(self, values: Mapping[str, Any]) -> Any:
        """Return the object with some of its fields given."""
        if self.default is None:
            return self.make(**values)
        kept = {name: getattr(self.default, name) for name in self.fields}
        return self.make(**{**kept, **values})


@cache
def find_config_arguments(found: Callable[..., Any]) -> Mapping[str, ConfigArgument]:
    """Return the arguments of a constructor that are configuration objects, by name.

    An argument is one if its annotation, or the type of its default, is a class of the user's
    whose own arguments are a width, a momentum or an ε, and that cannot be called.
    """
    made = found.func if isinstance(found, partial) else found
    function = made.__init__ if inspect.isclass(made) else made
    hints = hints_of(function)
    found_arguments = {}
    with suppress(TypeError, ValueError):  # of built-in functions
        for each in inspect.signature(function).parameters.values():
            default = None if each.default is each.empty else each.default
            hint = hints.get(each.name, None if default is None else type(default))
            kinds = [kind for kind in (hint, *get_args(hint)) if _is_config(kind)]
            if kinds:
                found_arguments[each.name] = ConfigArgument(kinds[0], default)
    return found_arguments


def _is_config(kind: object) -> bool:
    if not inspect.isclass(kind) or kind.__module__ == "builtins":
        return False
    if any("__call__" in vars(base) for base in kind.__mro__):
        return False
    with suppress(TypeError, ValueError):  # of classes in C
        return any(argument_role_of(name) for name in inspect.signature(kind).parameters)
    return False


def gather_configs(found: Callable[..., Any], arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return arguments with those whose names have a dot gathered in configuration objects.

    Args:
        found: What takes the arguments.
        arguments: Its arguments, such as ``{"config.features": 3, "config.eps": 1e-5}``.
    """
    if not any("." in name for name in arguments):
        return arguments
    plain = {name: value for name, value in arguments.items() if "." not in name}
    known = find_config_arguments(found)
    for owner in dict.fromkeys(name.partition(".")[0] for name in arguments if "." in name):
        if owner not in known:
            msg = (
                f"{owner!r} is not an argument with a configuration object: annotate it with the "
                "class of the object, or give a function that builds the layer."
            )
            raise TypeError(msg)
        prefix = f"{owner}."
        values = {n.removeprefix(prefix): v for n, v in arguments.items() if n.startswith(prefix)}
        plain[owner] = known[owner].build(values)
    return plain
