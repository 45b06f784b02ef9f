"""Strategies for programs: short sequences of operations on live layers.

A rule-based state machine draws its steps one by one while they run. Here the whole program is
drawn first, which is possible because no step depends on an earlier result. So it is the same for
every implementation, shrinks on its bytes (a zero byte stands for no step), and prints as a list of
steps such as ``train(x0)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.adapters.protocols import ARRAYS
from conformance.numerics.state import Float32, State
from conformance.strategies.bytestream import ByteReader, composite, integers
from conformance.strategies.case import Case, literals
from conformance.strategies.palette_cases import Palette, batches, cases, entry_of, states
from conformance.strategies.shape_grid import TRANSFORMED, Entry


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a program.

    Attributes:
        kind: What is done.
        batch: Index of the batch.
        state: Index of the state.
        times: The number of calls in a long run, which alternates between two batches.
        jit: Whether a call is compiled.
        as_jax: Whether x is passed as a JAX array instead of a NumPy array.
    """

    kind: str
    batch: int = 0
    state: int = 0
    times: int = 1
    jit: bool = False
    as_jax: bool = False

    @property
    def batches(self) -> tuple[int, ...]:
        """Indices of the batches that the step uses."""
        if self.kind in RUNS:
            return (self.batch % 2, 1 - self.batch % 2)
        return (self.batch,) if self.kind in {*CALLS, *AGAIN, "mutate"} else ()

    @property
    def states(self) -> tuple[int, ...]:
        """Indices of the states that the step uses."""
        return (self.state,) if self.kind.startswith("set") else ()

    def __repr__(self) -> str:
        """Return the step as a short instruction, which counterexamples show."""
        if self.kind in {"train", "evaluate"}:
            manner = ", jit" * self.jit + ", jax" * self.as_jax
            return f"{self.kind}(x{self.batch}{manner})"
        if self.kind in RUNS:
            (mode, other), (one, two) = RUNS[self.kind], self.batches
            where = " on each layer" * (self.kind == "interleave")
            return f"{mode}(x{one}) and {other}(x{two}) in turn{where}, {self.times} calls"
        if self.kind in AGAIN:
            return f"x{self.batch}[0] += 3, " * (self.kind != "again") + f"again(x{self.batch})"
        if self.kind == "mutate":
            return f"x{self.batch}[0] += 3"
        if self.kind == "set":
            return f"set(state{self.state})"
        if self.kind.startswith("set "):
            name = self.kind.removeprefix("set ")
            return f"{name} = state{self.state}.{name}"
        return self.kind


CALLS = ("train", "evaluate")
RUNS = {
    "train often": ("train", "train"),
    "evaluate often": ("evaluate", "evaluate"),
    "alternate": ("train", "evaluate"),
    "interleave": ("train", "train"),
}
"""Long runs of calls, and the two modes that alternate in them; in the last, layers alternate."""

AGAIN = ("again", "changed again")
"""Repeats the last call with the same array object, which in the second kind has new contents."""

_KINDS = (
    *("train", "evaluate") * 6,
    *("again", "again", "changed again", "changed again", "switch", "switch", "mutate"),
    *("clone", "clone", "clone", "clone", "split and merge"),
    *("train often", "evaluate often", "alternate", "interleave", "reset", "reset", "set"),
    *(f"set {name}" for name in ARRAYS),
)
"""Every kind of step, frequent ones several times."""

KINDS = tuple(dict.fromkeys(_KINDS))
"""Every kind of step, once."""

_TIMES = (2, 3, 5, 8, 12, 25, 4, 6)
_LONG = {"train often": (128, 160), "evaluate often": (208, 160), "alternate": (128, 50)}
"""The byte from which a run is long, and its length: mistakes in counters and drift show late."""

_SHORTEST, _LONGEST = 3, 30

_RESIZED = 2
"""The batch with another number of rows; no call on it is compiled."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Two layers, batches, states, and the steps to take.

    Attributes:
        case: The first layer, and the batch x0, (N, D).
        other: The configuration of the second layer, which is fresh.
        batches: x0, x1 of the same shape, and x2 with another number of rows.
        states: The states that steps write.
        steps: The steps.
    """

    case: Case
    other: Entry
    batches: Sequence[Float32]
    states: Sequence[State]
    steps: tuple[Step, ...]

    def literals(self) -> dict[str, Any]:
        """Return the program as JSON values, without what no step uses."""
        shown = literals({"case": self.case})
        del shown["x"]
        batches_used = sorted({i for step in self.steps for i in step.batches})
        states_used = sorted({i for step in self.steps for i in step.states})
        if any(step.kind in {"switch", "interleave"} for step in self.steps):
            shown["other layer"] = f"momentum={self.other.momentum}, eps={self.other.eps}"
        shown |= literals({f"x{i}": self.batches[i] for i in batches_used})
        shown |= literals({f"state{i}": self.states[i] for i in states_used})
        return shown | {"program": [repr(step) for step in self.steps]}


@composite
def steps(reader: ByteReader) -> Step | None:
    """Steps from three bytes each; None if the first of them is zero."""
    which, argument, manner = reader.take(3)
    if which == 0:
        return None
    kind = _KINDS[(which - 1) % len(_KINDS)]
    long_from, long = _LONG.get(kind, (256, 0))
    times = long if manner >= long_from else _TIMES[manner % len(_TIMES)]
    batch = argument % 3 if kind in {*CALLS, "mutate"} else argument % 2 * (kind in RUNS)
    return Step(
        kind=kind,
        batch=batch,
        state=argument % 2 if kind.startswith("set") else 0,
        times=times if kind in RUNS else 1,
        jit=kind in CALLS and batch < _RESIZED and manner % 3 == 2,
        as_jax=kind in CALLS and manner % 4 == 3,
    )


@composite
def programs(reader: ByteReader, palette: Palette) -> Program:
    """Programs of 3 to 30 steps on layers of the compiled shapes.

    The size of the third batch comes from the palette.
    """
    size = max(reader.draw(integers(_SHORTEST, _LONGEST)) for _ in range(2))
    drawn = [reader.draw(steps()) for _ in range(size)]
    case = replace(reader.draw(cases(TRANSFORMED)), as_jax=False)
    entry = entry_of(case)
    rows = sorted({e.rows for e in palette if e.features == entry.features} - {entry.rows})[:3]
    another = rows[reader.draw(integers(0, len(rows) - 1))] if rows else entry.rows
    features = entry.features
    return Program(
        case=case,
        other=Entry(entry.rows, features, *_OTHER),
        batches=(
            case.x,
            reader.draw(batches(entry)),
            reader.draw(batches(replace(entry, rows=another))),
        ),
        states=tuple(reader.draw(states(features, entry.eps)) for _ in range(2)),
        steps=_fill_in_batches([step for step in drawn if step is not None] or [Step("evaluate")]),
    )


def _fill_in_batches(drawn: list[Step]) -> tuple[Step, ...]:
    """Return the steps, with the batch of the last call in steps that repeat it."""
    batch, done = 0, []
    for step in drawn:
        chosen = replace(step, batch=batch) if step.kind in AGAIN else step
        if chosen.batches and chosen.kind != "mutate":
            batch = chosen.batches[(chosen.times - 1) % len(chosen.batches)]
        done.append(chosen)
    return tuple(done)


_OTHER = (0.6, 3e-5)
"""Momentum and eps of the second layer: they reveal values that are stored on the class."""


def mutate(x: Float32) -> None:
    """Change a batch, (N, D), in place, like a data loader that reuses its buffer."""
    x[0] += np.float32(3)
