"""The two shapes of module that are known as a whole, by their names alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flax import nnx

from conformance.adapters.protocols import ARRAYS
from conformance.adapters.recognition.constructor import Plan

_SHAPES: Mapping[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "seed-shaped nnx.Module": (
        {"features": "d", "momentum": "momentum", "eps": "eps", "rngs": "rngs"},
        ARRAYS,
    ),
    "flax-shaped nnx.Module": (
        {"features": "num_features", "momentum": "momentum", "eps": "epsilon", "rngs": "rngs"},
        ("scale", "bias", "mean", "var"),
    ),
}


@dataclass(frozen=True, slots=True)
class KnownShape:
    """A module with the names of a known shape.

    Attributes:
        kind: The name of the shape, and the submodule with the arrays.
        roles: Attributes by the names in ``ARRAYS``.
    """

    kind: str
    roles: Mapping[str, str]


def match_known_shape(plan: Plan, module: Any) -> KnownShape | None:
    """Return the known shape that a module has, or None.

    Args:
        plan: How the module is constructed.
        module: The module.
    """
    for kind, (keywords, attributes) in _SHAPES.items():
        if dict(plan.keywords) != keywords:
            continue
        if all(_has(module, own) for own in attributes):
            return KnownShape(kind, dict(zip(ARRAYS, attributes, strict=True)))
        inside = list(_find_inside(module))
        if len(inside) == 1:
            ((holder, own_names),) = inside
            dotted = [f"{holder}.{own}" for own in own_names]
            return KnownShape(f"{kind}, arrays in {holder}", dict(zip(ARRAYS, dotted, strict=True)))
    return None


def _has(module: Any, attribute: str) -> bool:
    """Return whether a module has an attribute, and not a property that only shows an array."""
    held = getattr(module, attribute, None)
    shown = isinstance(getattr(type(module), attribute, None), property)
    return held is not None and (isinstance(held, nnx.Variable) or not shown)


def _find_inside(module: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each submodule with four arrays of known names, and these names."""
    for name, submodule in vars(module).items():
        if isinstance(submodule, nnx.Module):
            for _, attributes in _SHAPES.values():
                if all(_has(submodule, own) for own in attributes):
                    yield name, attributes
