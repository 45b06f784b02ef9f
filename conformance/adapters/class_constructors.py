"""The constructors of ``Implementation`` for classes of frameworks, and for pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Self, Unpack

from conformance.adapters.design import Design, deviations_of
from conformance.adapters.domain import Wider
from conformance.adapters.driven import Driven, drive_class, drive_function, name_of_object
from conformance.adapters.driver_options import ClassOptions, FunctionOptions
from conformance.adapters.errors import AdapterError
from conformance.adapters.framework_class import FRAMEWORKS


class ClassConstructors:
    """Constructors that need not be told what they can find out; see ``ClassOptions``."""

    @classmethod
    def linen(cls, module: Callable[..., Any], **options: Unpack[ClassOptions]) -> Self:
        """Return the implementation for a class of flax.linen."""
        return cls(**_class_fields("linen", module, options))

    @classmethod
    def equinox(cls, module: Callable[..., Any], **options: Unpack[ClassOptions]) -> Self:
        """Return the implementation for a class of Equinox.

        Its arrays are fields of the module and ``StateIndex`` entries, and its call returns y and
        the state. A class whose constructor requires ``axis_name`` is called under ``jax.vmap``.
        """
        return cls(**_class_fields("equinox", module, options))

    @classmethod
    def haiku(cls, module: Callable[..., Any], **options: Unpack[ClassOptions]) -> Self:
        """Return the implementation for a class of Haiku."""
        return cls(**_class_fields("haiku", module, options))

    @classmethod
    def keras(cls, layer: Callable[..., Any], **options: Unpack[ClassOptions]) -> Self:
        """Return the implementation for a layer class of Keras on its JAX backend."""
        return cls(**_class_fields("keras", layer, options))

    @classmethod
    def torch(cls, module: Callable[..., Any], **options: Unpack[ClassOptions]) -> Self:
        """Return the implementation for a class of PyTorch, differentiated by torch.autograd."""
        return cls(**_class_fields("torch", module, options))

    @classmethod
    def function(cls, function: Callable[..., Any], **options: Unpack[FunctionOptions]) -> Self:
        """Return the implementation for a pure function of x, its arrays and the mode.

        For example, ``f(x, gamma, beta, mean, var, training, momentum, eps) -> (y, mean, var)``,
        or ``f(params, state, x, train) -> (y, state)`` with dicts of arrays; see
        ``FunctionOptions``.
        """
        return cls(**_function_fields(function, options))


def _function_fields(function: Callable[..., Any], options: FunctionOptions) -> dict[str, Any]:
    driven = drive_function(function, options)
    return {
        "name": options.get("name") or name_of_object(function),
        "build": driven,
        "pure": driven.pure,
        "kind": options.get("kind", "pure function"),
        **_design(options, driven),
    }


def _class_fields(
    framework: str, make: Callable[..., Any], options: ClassOptions
) -> dict[str, Any]:
    driven, usual = drive_class(framework, make, options), FRAMEWORKS[framework]
    return {
        "name": options.get("name") or name_of_object(make),
        "build": driven,
        "pure": driven.pure,
        "own_gradients": not driven.pure,
        "wider": _extend(framework, driven, options.get("wider")),
        "kind": options.get("kind", f"{usual.package}.{usual.base}"),
        **_design(options, driven),
    }


def _extend(framework: str, driven: Driven, wider: Wider | None) -> Wider | None:
    """Return a declared extended domain with what makes its layers."""
    if wider is None:
        return None
    if driven.build_wide is None:
        msg = f"wider={wider!r}: layers of {framework} are judged on rows of float32 alone."
        raise AdapterError(msg)
    return replace(wider, build=partial(driven.build_wide, wider))


def _design(options: ClassOptions | FunctionOptions, driven: Driven) -> dict[str, Any]:
    return {
        "deviations": frozenset(options.get("deviations", ()))
        | deviations_of(options.get("modes", "both")),
        "design": Design(
            fixed=tuple(sorted(driven.fixed.items())),
            absent=driven.absent,
            flag_argument=driven.flag_argument,
            layout=driven.layout,
        ),
    }
