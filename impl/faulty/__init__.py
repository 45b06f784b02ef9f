"""The gallery: faulty implementations, one mistake each.

To add one: a subclass of ``StepwiseBatchNorm`` that overrides a step, in the module of its
family, with a docstring that names the mistake and a ``@fault`` that lists what it breaks.
"""

from __future__ import annotations

from impl.faulty import (
    affine,
    axes,
    backward,
    backward_derived,
    backward_kernels,
    blocks,
    compiled,
    doubles,
    dtypes,
    epsilon,
    evaluation,
    forward,
    history,
    initial,
    leftovers,
    masked,
    misfits,
    precision,
    restored,
    running,
    sequences,
    shapes,
    shared,
    state,
    statistics,
    synchronised,
    transformed,
    uneven,
    updated,
)
from impl.faulty.record import FAULTS, Fault

__all__ = [
    "FAULTS",
    "Fault",
    "affine",
    "axes",
    "backward",
    "backward_derived",
    "backward_kernels",
    "blocks",
    "compiled",
    "doubles",
    "dtypes",
    "epsilon",
    "evaluation",
    "forward",
    "history",
    "initial",
    "leftovers",
    "masked",
    "misfits",
    "precision",
    "restored",
    "running",
    "sequences",
    "shapes",
    "shared",
    "state",
    "statistics",
    "synchronised",
    "transformed",
    "uneven",
    "updated",
]
