"""A class of a framework, with its names for what the suite uses.

Imports the standard library only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.adapters.calling import Calling, calling_of
from conformance.adapters.driver_options import HYPERPARAMETERS, ClassOptions, check_options
from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.protocols import ARRAYS, COUNT
from conformance.adapters.synonyms import find_argument, find_flag, normalize


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FrameworkClass:
    """A class, or another callable that makes layers, and its names for what the suite uses.

    Attributes:
        make: The class.
        keywords: Constructor arguments, by ``features``, ``momentum`` and ``eps``; those that the
            class does not have are left out.
        names: Names of arrays, by ``ARRAYS`` and ``COUNT``: "" to look for one, None for an array
            that the layer does not have.
        calling: How a layer is called; its flag is a keyword.
        flag_in_constructor: The flag is an argument of the constructor.
        arguments: Further constructor arguments.
        momentum_of_new: The class's momentum weights the new value.
    """

    make: Callable[..., Any]
    keywords: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str | None] = field(default_factory=dict)
    calling: Calling = field(default_factory=Calling)
    flag_in_constructor: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    momentum_of_new: bool = False

    def arguments_for(self, features: int, momentum: float, eps: float) -> dict[str, Any]:
        """Return the keyword arguments of the constructor."""
        weight = 1 - momentum if self.momentum_of_new else momentum
        values = {"features": features, "momentum": weight, "eps": eps}
        return {own: values[ours] for ours, own in self.keywords.items()} | dict(self.arguments)

    def call(
        self, bound: Callable[..., tuple[Any, Any]], x: Any, flag: Any, **more: Any
    ) -> tuple[Any, Any]:
        """Call a function of x and the flag on rows, in the layout of the class.

        Args:
            bound: Takes x in the layout of the class and the flag by its keyword; returns y and
                anything else.
            x: The batch, (N, D).
            flag: True to evaluate, false to train.
            **more: Further arguments of the call.

        Returns:
            y, (N, D), and what else the function returned.
        """
        native = self.calling.layout.spread(x)
        y, after = self.calling.native(bound, native, flag, **more)
        return self.calling.layout.gather(y, x, native), after

    def split_flag(self, keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return keyword arguments for the constructor and for the call."""
        own = {self.calling.flag} if self.flag_in_constructor else set()
        return (
            {name: value for name, value in keywords.items() if name in own},
            {name: value for name, value in keywords.items() if name not in own},
        )


@dataclass(frozen=True, slots=True)
class Framework:
    """What all classes of a framework have in common.

    Attributes:
        package: The module with the base class.
        base: Name of the base class.
        method: The method that is the call.
        flag: The flag of every class; "" to look for it.
        momentum_of_new: Momentum weights the new value by default.
    """

    package: str
    base: str = "Module"
    method: str = "__call__"
    flag: str = ""
    momentum_of_new: bool = False


BY_METHODS = "train()/eval()"
"""The flag of a module with these two methods."""

FRAMEWORKS: Mapping[str, Framework] = {
    "linen": Framework("flax.linen"),
    "equinox": Framework("equinox", flag=".inference"),
    "haiku": Framework("haiku"),
    "keras": Framework("keras", "Layer", method="call", flag="training"),
    "torch": Framework("torch.nn", method="forward", flag=BY_METHODS, momentum_of_new=True),
}
"""By the names of their drivers, which are modules of this package."""


def describe_class(
    framework: str, make: Callable[..., Any], options: ClassOptions
) -> FrameworkClass:
    """Return a class with its names: those that are given, and the known ones for the rest.

    Args:
        framework: A name in ``FRAMEWORKS``.
        make: The class.
        options: What its author says.

    Raises:
        AdapterError: Something is not found, or cannot be; the message has the line to write.
    """
    check_options(framework, options, ClassOptions)
    usual, parameters = FRAMEWORKS[framework], parameters_of(make, "__init__")
    arguments = dict(options.get("arguments", {}))
    line = f"Implementation.{framework}({getattr(make, '__name__', '…')}, …)"
    keywords = _name_keywords(parameters, options, arguments)
    chosen = (options.get("flag", ""), options.get("flag_means", ""))
    mode, means, in_constructor = _find_flag(line, make, usual, chosen, parameters)
    ndim = options.get("ndim", 2)
    given = {*keywords.values(), *arguments, *({mode} if in_constructor and mode else ())}
    arguments = {**_fill(line, parameters, given, ndim), **arguments}
    weights = options.get("momentum_weights", "new" if usual.momentum_of_new else "old")
    arrays: dict[str, Any] = {role: options.get(role, "") for role in ARRAYS}
    if options.get("count"):
        arrays[COUNT] = options["count"]
    return FrameworkClass(
        make=make,
        keywords=keywords,
        names=arrays,
        calling=calling_of(mode, means, options.get("layout", "last"), ndim),
        flag_in_constructor=in_constructor,
        arguments=arguments,
        momentum_of_new=weights == "new",
    )


def parameters_of(make: Callable[..., Any], method: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of a method of a class by name, or of a function.

    Where a method passes on ``**kwargs``, those of the method that it overrides count too.
    """
    if not inspect.isclass(make):
        return dict(inspect.signature(make).parameters)
    found: dict[str, inspect.Parameter] = {}
    for owner in make.__mro__[:-1]:
        if method not in vars(owner):
            continue
        with wrap_errors(f"the signature of {owner.__name__}.{method}", "cannot be read"):
            own = list(inspect.signature(vars(owner)[method]).parameters.values())[1:]
        found |= {p.name: p for p in own if p.name not in found}
        if not any(p.kind is p.VAR_KEYWORD for p in own):
            break
    variable = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    return {name: p for name, p in found.items() if p.kind not in variable}


def _name_keywords(
    parameters: Mapping[str, inspect.Parameter],
    options: ClassOptions,
    arguments: Mapping[str, Any],
) -> dict[str, str]:
    """Return the constructor's arguments by ``features``, ``momentum`` and ``eps``."""
    free = [name for name in parameters if name not in arguments]
    fixed = options.get("fixed", {})
    given = {role: options.get(role, "") for role in ("features", *HYPERPARAMETERS)}
    found = {
        role: find_argument(role, free) if own == "" and role not in fixed else own
        for role, own in given.items()
    }
    return {role: str(own) for role, own in found.items() if own}


def _find_flag(
    line: str,
    make: Callable[..., Any],
    usual: Framework,
    chosen: tuple[Any, str],
    constructor: Mapping[str, inspect.Parameter],
) -> tuple[str | None, str, bool]:
    """Return the keyword of the mode, what a true value means, and if the constructor takes it."""
    name, means = chosen
    if name is None or (name and "(" in name):
        return name, means or "evaluation", False
    if name.startswith(".") and usual.flag == BY_METHODS:
        guess = find_flag([name.rpartition(".")[2]])
        return name, means or (guess[1] if guess else "evaluation"), False
    if name:
        guess = find_flag([name.removeprefix(".")])
        means = means or (guess[1] if guess else "")
        if not means:
            rule = 'write flag_means="training" or "evaluation"'
            msg = f"flag={name!r}: what a true value means is not known: {rule} in {line}."
            raise AdapterError(msg)
        return name.removeprefix("."), means, name.startswith(".")
    call = parameters_of(make, usual.method) if inspect.isclass(make) else {}
    if found := find_flag(call):
        return found[0], means or found[1], False
    if usual.flag:
        guess = find_flag([usual.flag.removeprefix(".")])
        meaning = means or (guess[1] if guess else "evaluation")
        return usual.flag.removeprefix("."), meaning, usual.flag.startswith(".")
    if found := find_flag(constructor):
        return found[0], means or found[1], True
    shown = ", ".join(call) or "nothing but x"
    msg = (
        f"no argument of the call ({shown}) is a known name of the mode: write flag=… and "
        f"flag_means=… in {line}, or flag=None for a layer without modes."
    )
    raise AdapterError(msg)


_SWITCHES = {"createscale", "createoffset", "usescale", "usebias", "useoffset", "affine", "center",
             "scale", "offset", "trackrunningstats"}  # fmt: skip


def _fill(
    line: str, parameters: Mapping[str, inspect.Parameter], given: set[str], ndim: int
) -> dict[str, Any]:
    """Return values for required arguments that every layer of the suite has alike."""
    required = [p.name for p in parameters.values() if p.default is p.empty and p.name not in given]
    filled: dict[str, Any] = {}
    for name in required:
        if normalize(name) in _SWITCHES:
            filled[name] = True
        elif normalize(name) in {"numdims", "ndim", "ndims"}:
            filled[name] = ndim
        elif normalize(name) == "axisname":
            filled[name] = BATCH_AXIS
        elif name != "key":  # which the driver of Equinox passes
            msg = (
                f"the constructor requires {name!r}, which no known name stands for: write "
                f"arguments={{{name!r}: …}} in {line}."
            )
            raise AdapterError(msg)
    return filled


BATCH_AXIS = "batch"
"""Name of the axis over which a layer that takes one example is mapped."""
