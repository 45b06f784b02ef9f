"""What a layer may declare to take beyond a float32 batch of shape (N, D).

Standard library only; whatever is not declared is not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.requirements.requirement import Capability

if TYPE_CHECKING:
    from conformance.adapters.protocols import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a layer is constructed with besides a ``Config``; None is not passed.

    ``axis``: where the features are; ``dtype``: in which it is asked to compute and answer;
    ``axis_name``: the axis of a transform over which it shares its statistics.
    """

    axis: int | None = None
    dtype: str | None = None
    axis_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """A dtype that a layer takes, and the dtypes in which it answers and keeps its arrays.

    ``x``: of the input; ``y``: of the output; ``dtype``: what the constructor is asked for, None
    for nothing; ``state``: of all four arrays, before and after every call.
    """

    x: str
    y: str
    dtype: str | None = None
    state: str = "float32"


AT_LEAST_FLOAT32 = (
    Precision(x="bfloat16", y="float32"),
    Precision(x="float16", y="float32"),
    Precision(x="bfloat16", dtype="bfloat16", y="bfloat16"),
    Precision(x="float16", dtype="float16", y="float16"),
    Precision(x="float64", y="float64"),
)
"""Of a layer that computes and keeps its statistics in at least float32, as those of flax do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider:
    """A declared domain; the strings are keywords of the layer's own, empty where it has none.

    ``ndim``: inputs may have more axes than two, with the features on the last. ``axis``: the
    constructor's argument for another feature axis, negative ones counted from the end.
    ``mask``: the call's argument for a boolean mask, true where a row counts; of the shape
    of x without the features if ``mask_by_row``, else one that broadcasts against x. ``dtype``:
    the constructor's argument; ``precisions``: the dtypes that are taken. ``axis_name``: the
    constructor's argument for a named axis of ``jax.vmap`` or ``jax.shard_map``. ``build``: makes
    a ``conformance.adapters.wide.WideLayer``; ``Implementation.nnx`` fills it in.
    """

    ndim: bool = False
    axis: str = ""
    mask: str = ""
    mask_by_row: bool = False
    dtype: str = ""
    precisions: tuple[Precision, ...] = ()
    axis_name: str = ""
    build: Callable[[Config, Options], Any] | None = None

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What is declared, in the terms of the requirement table."""
        wide = any(precision.x == "float64" for precision in self.precisions)
        offered = {
            Capability.NDIM: self.ndim,
            Capability.MASK: bool(self.mask),
            Capability.DTYPES: bool(self.low_precisions),
            Capability.DTYPES_GRAD: bool(self.narrowed_precisions),
            Capability.X64: wide,
            Capability.SYNC: bool(self.axis_name),
            Capability.MASKED_SYNC: bool(self.axis_name and self.mask),
        }
        return frozenset(capability for capability, given in offered.items() if given)

    @property
    def low_precisions(self) -> tuple[Precision, ...]:
        """The declared precisions with an input of 16 bits."""
        return tuple(p for p in self.precisions if p.x in {"bfloat16", "float16"})

    @property
    def narrowed_precisions(self) -> tuple[Precision, ...]:
        """Those of them in which the output is no narrower than float32."""
        return tuple(p for p in self.low_precisions if p.y in {"float32", "float64"})

    def arguments(self, options: Options) -> dict[str, Any]:
        """Return the options as arguments of the layer's constructor."""
        named = {
            self.axis: options.axis,
            self.dtype: options.dtype,
            self.axis_name: options.axis_name,
        }
        return {name: value for name, value in named.items() if name and value is not None}
