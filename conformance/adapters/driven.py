"""What was found out about a class of a framework, or a pure function, by building and calling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from conformance.adapters.calling import Calling, Layout
from conformance.adapters.driver_options import HYPERPARAMETERS, ClassOptions, FunctionOptions
from conformance.adapters.errors import wrap_errors
from conformance.adapters.framework_class import FrameworkClass, describe_class
from conformance.adapters.function_signature import read_signature
from conformance.adapters.protocols import ARRAYS, Config, Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """A class or function that can be driven; calling it with a ``Config`` makes a layer.

    Attributes:
        build: Makes a layer.
        build_wide: Makes a layer of the extended domain from ``Wider``, ``Config`` and ``Options``;
            None if that is not possible.
        pure: The layers are ``PureLayer``.
        absent: The arrays that a layer does not have.
        fixed: Values of "momentum" and "eps" that have no argument.
        flag_argument: The mode is an argument of the call.
        layout: The layout in which a layer takes a batch.
        found: The options that say what was found out.
    """

    build: Callable[[Config], Layer]
    pure: bool
    absent: frozenset[str]
    fixed: Mapping[str, float]
    flag_argument: bool
    layout: Layout
    found: Mapping[str, Any]
    build_wide: Callable[..., Any] | None = None

    def __call__(self, config: Config) -> Layer:
        return self.build(config)


def name_of_object(found: Any) -> str:
    """Return the name of a class or function."""
    return str(getattr(found, "__name__", found))


def drive_class(framework: str, make: Callable[..., Any], options: ClassOptions) -> Driven:
    """Find out how a class of a framework is driven, and try it.

    Raises:
        AdapterError: It cannot be driven with what is given and known.
    """
    described = describe_class(framework, make, options)
    driver = import_module(f"conformance.adapters.{framework}")
    build = partial(driver.build_class, described)
    line = f"Implementation.{framework}({name_of_object(make)}, "
    paths = _try(line, build, described.calling.layout.ndim)
    fixed = _measure(line, build, options, described.keywords)
    names = {
        role: path.removeprefix("params.").removeprefix("state.") for role, path in paths.items()
    }
    found: dict[str, Any] = {**described.keywords, **_spell_arrays(names)}
    found |= _spell_calling(described.calling, "." * described.flag_in_constructor)
    found |= {"fixed": fixed} if fixed else {}
    found |= {"arguments": dict(described.arguments)} if described.arguments else {}
    pure = framework != "torch"
    return Driven(
        build=build,
        build_wide=partial(_build_wide, driver, described) if pure else None,
        pure=pure,
        absent=frozenset(ARRAYS).difference(paths),
        fixed=fixed,
        flag_argument=described.calling.takes_flag and not described.flag_in_constructor,
        layout=described.calling.layout,
        found=found,
    )


def _build_wide(driver: Any, described: FrameworkClass, *arguments: Any) -> Any:
    from conformance.adapters.framework_layers import (  # noqa: PLC0415  imports jax
        build_wide_layer,
    )

    return build_wide_layer(driver.prepare, described, *arguments)


def drive_function(function: Callable[..., Any], options: FunctionOptions) -> Driven:
    """Find out how a pure function is called, and try it.

    Raises:
        AdapterError: It cannot be called with what is given and known.
    """
    from conformance.adapters.functions import discover  # noqa: PLC0415  imports jax

    line = f"Implementation.function({name_of_object(function)}, "
    signature = read_signature(function, options)
    layers = discover(f"{line}…)", signature)
    paths = _try(line, layers.build, signature.calling.layout.ndim)
    fixed = _measure(line, layers.build, options, signature.numbers)
    names = {role: path.rpartition(".")[2] for role, path in paths.items()}
    found: dict[str, Any] = {"x": signature.x, **signature.numbers, **_spell_arrays(names)}
    found |= _spell_calling(signature.calling, "")
    found |= {"fixed": fixed} if fixed else {}
    return Driven(
        build=layers.build,
        pure=not layers.with_numpy,
        absent=frozenset(ARRAYS).difference(paths),
        fixed=fixed,
        flag_argument=signature.calling.takes_flag,
        layout=signature.calling.layout,
        found=found,
    )


def _spell_arrays(names: Mapping[str, str]) -> dict[str, str | None]:
    """Return the options that name the arrays; an entry of a pair has no name."""
    return {role: names.get(role) for role in ARRAYS if not names.get(role, "").isdigit()}


def _spell_calling(calling: Calling, prefix: str) -> dict[str, Any]:
    means = "training" if calling.inverted else "evaluation"
    found: dict[str, Any] = {"flag": calling.flag and f"{prefix}{calling.flag}"}
    found |= {"flag_means": means} if calling.flag and "(" not in calling.flag else {}
    found |= {"layout": "first"} if calling.layout.first else {}
    return found | ({"ndim": calling.layout.ndim} if calling.layout.ndim > 2 else {})


def _try(line: str, build: Callable[[Config], Layer], ndim: int) -> dict[str, str]:
    """Build a layer, and call it in both modes; return the paths of its arrays.

    Raises:
        AdapterError: That failed.
    """
    import numpy as np  # noqa: PLC0415  the suite is to be imported quickly

    rows = 4 if ndim == 2 else 24  # which fills several axes
    x = np.linspace(-1, 2, rows * 3, dtype=np.float32).reshape(rows, 3)
    for evaluate in (False, True):
        with wrap_errors(f"{line}…): building or calling a layer", "failed"):
            layer: Any = build(Config(features=3))
            layer(x, evaluate)
    paths = layer.paths if hasattr(layer, "paths") else layer.pure.places.paths
    return {role: path for role, path in paths.items() if role in ARRAYS}


def _measure(
    line: str,
    build: Callable[[Config], Layer],
    options: ClassOptions | FunctionOptions,
    named: Mapping[str, str],
) -> dict[str, float]:
    """Return the values that have no argument: those that are given, and those that calls show."""
    given = dict(options.get("fixed", {}))
    averages = options.get("modes", "both") == "both"
    names = HYPERPARAMETERS if averages else ("eps",)
    unknown = [name for name in names if name not in given and name not in named]
    if not unknown:
        return given
    from conformance.adapters.measure import measure_fixed  # noqa: PLC0415  imports NumPy

    return {
        **given,
        **measure_fixed(line, build, unknown, averages=options.get("modes") != "training"),
    }
