"""The optional domain that a layer may declare beyond float32 batches of shape (N, D).

Imports the standard library only. What is not declared is not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.requirements.requirement import Capability

if TYPE_CHECKING:
    from conformance.adapters.protocols import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Constructor arguments besides those of ``Config``; None leaves an argument out.

    Attributes:
        axis: The feature axis of the input.
        dtype: The dtype of computation and output.
        axis_name: The named axis of a transform over which statistics are shared.
    """

    axis: int | None = None
    dtype: str | None = None
    axis_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """An accepted input dtype, with the dtypes of the output and of the layer's arrays.

    Attributes:
        x: Dtype of the input.
        y: Dtype of the output.
        dtype: The constructor's argument ``dtype``; None leaves it out.
        state: Dtype of all four arrays, before and after every call.
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
"""For a layer that computes and stores its statistics in at least float32, as flax's do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider:
    """A declared extended domain. Strings are the layer's argument names, or empty for none.

    What is declared is a promise: values in it are judged by MUST.

    Attributes:
        ndim: Inputs may have more than two axes, with the features on the last.
        axis: Constructor argument for another feature axis; negative axes count from the end.
        mask: Call argument for a boolean mask, true where a row counts.
            It has any shape that broadcasts against x by NumPy's rules, also with fewer axes.
        mask_by_row: The mask has the shape of x without the features instead, (N,) or (N, L). With
            ``ndim`` it may also be (N,) for all positions of an example: a layer that refuses this
            by an exception conforms; in one that accepts it, all positions count.
        dtype: Constructor argument for the dtype.
        precisions: The accepted dtypes.
        axis_name: Constructor argument for a named axis of ``jax.vmap`` or ``jax.shard_map``.
        build: Makes a ``conformance.adapters.wide.WideLayer``; ``Implementation.nnx`` sets it.
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
        """The declared capabilities, as the requirement table names them."""
        has_float64 = any(precision.x == "float64" for precision in self.precisions)
        offered = {
            Capability.NDIM: self.ndim,
            Capability.MASK: bool(self.mask),
            Capability.DTYPES: bool(self.low_precisions),
            Capability.DTYPES_GRAD: bool(self.narrowed_precisions),
            Capability.X64: has_float64,
            Capability.SYNC: bool(self.axis_name),
            Capability.MASKED_SYNC: bool(self.axis_name and self.mask),
        }
        return frozenset(capability for capability, is_offered in offered.items() if is_offered)

    @property
    def low_precisions(self) -> tuple[Precision, ...]:
        """The declared precisions with an input of 16 bits."""
        return tuple(p for p in self.precisions if p.x in {"bfloat16", "float16"})

    @property
    def narrowed_precisions(self) -> tuple[Precision, ...]:
        """The declared precisions with an input of 16 bits and an output of at least float32."""
        return tuple(p for p in self.low_precisions if p.y in {"float32", "float64"})

    def arguments(self, options: Options) -> dict[str, Any]:
        """Return the options as keyword arguments of the layer's constructor."""
        named = {
            self.axis: options.axis,
            self.dtype: options.dtype,
            self.axis_name: options.axis_name,
        }
        return {name: value for name, value in named.items() if name and value is not None}


class Results(NamedTuple):
    """The results of one program; from a batch in lanes, ``y`` and ``after`` have a lane axis.

    Attributes:
        y: Output of the training call.
        after: The four arrays after the training call.
        gradients: Of Σ w·y with respect to gamma, beta and x; empty without w.
        evaluated: Output of an evaluation call from the same arrays as the training call.
    """

    y: Any
    after: dict[str, Any]
    gradients: tuple[Any, ...]
    evaluated: Any


class Lanes(NamedTuple):
    """How a batch (S, n, D) is mapped over its S shards.

    Attributes:
        axis_name: The named axis of the map.
        shards: S.
        on_devices: Map by ``jax.shard_map`` on S devices, instead of by ``jax.vmap``.
    """

    axis_name: str
    shards: int
    on_devices: bool


FLAX_DOMAIN = Wider(
    ndim=True,
    axis="axis",
    mask="mask",
    dtype="dtype",
    precisions=AT_LEAST_FLOAT32,
    axis_name="axis_name",
)
"""That of flax's layers, as documented: statistics are computed and stored in at least float32."""
