"""The registry of correct variants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from conformance.adapters.domain import Wider
from conformance.adapters.implementation import Implementation
from conformance.requirements.deviations import Deviation
from impl.functional import FunctionalBatchNorm

Module = TypeVar("Module", bound=type)

VARIANTS: dict[str, Implementation] = {}
"""Every variant by name; filled when ``impl.variants`` is imported."""


def variant(
    name: str,
    *deviations: Deviation,
    differentiable: bool = True,
    wider: Wider | None = None,
    count: str = "",
    **driven: Any,
) -> Callable[[Module], Module]:
    """Register the decorated ``nnx.Module`` class, or pure layer, as a correct variant.

    Args:
        name: The variant's name in the gallery.
        deviations: The declared deviations.
        differentiable: False for a layer that leaves JAX.
        wider: The declared extended domain.
        count: The attribute with the number of updates, if the layer has one.
        **driven: Further arguments of ``Implementation.nnx``.

    Raises:
        ValueError: The name is taken.
    """
    if name in VARIANTS:
        msg = f"there is a variant {name!r} already"
        raise ValueError(msg)

    def record(module: Module) -> Module:
        if issubclass(module, FunctionalBatchNorm):
            VARIANTS[name] = Implementation(name=name, build=module.layer, pure=True)
            return module
        VARIANTS[name] = Implementation.nnx(
            module,
            name=name,
            deviations=frozenset(deviations),
            differentiable=differentiable,
            wider=wider,
            count=count,
            **driven,
        )
        return module

    return record
