"""Keeps the programs of layers that unroll their rows from taking minutes to compile.

The time to compile a program grows faster than its equations. So a layer whose program grows with
the rows is called without jit on large batches, and not at all where that would take too long, or
where it compiles itself.
"""

from __future__ import annotations

from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.notes import note_left_out
from conformance.properties.support.subject import Subject

MOST_COMPILED = 2000
"""Equations that are compiled in one program, which takes some seconds."""

MOST_EXECUTED = 40_000
"""Equations that are executed one by one, which takes some seconds."""

_SMALL = 129
"""Rows up to which every layer is called as it is."""


def fits(
    subject: Subject, layer: LayerHandle, shape: tuple[int, ...], *, compiled: bool, times: int = 1
) -> bool:
    """Return whether the program of a training call on a batch has a size that can be judged.

    Args:
        subject: The implementation.
        layer: One of its layers.
        shape: N and D.
        compiled: Whether the suite compiles the call.
        times: How many times as large the program is, as for a gradient.
    """
    rows, features = shape
    if rows <= _SMALL or not subject.implementation.nnx_module:
        return True
    if not subject.growth:
        label = "tracing a training call"
        subject.growth.extend(layer.ask("measure_growth", features, label=label))
    whole, apart = (times * rows * per_row for per_row in subject.growth)
    return whole <= (MOST_COMPILED if compiled else MOST_EXECUTED) and apart <= MOST_COMPILED


def leave_out(subject: Subject, shape: tuple[int, ...]) -> None:
    """Note that a layer is not judged at a size, because its program has too many equations."""
    equations = shape[0] * max(subject.growth)
    where = describe_shape(shape)
    note_left_out(f"{where} (time: a program of about {equations:,.0f} equations)")


def describe_shape(shape: tuple[int, ...]) -> str:
    """Return a shape for readers, such as ``65,537 × 4``."""
    return " × ".join(f"{size:,}" for size in shape)
