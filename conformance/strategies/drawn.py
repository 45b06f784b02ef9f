"""What the public strategies return, and features that Hypothesis draws as strings of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from conformance.adapters.protocols import Config
from conformance.numerics.state import Float32, State
from conformance.strategies.columns import BLOCK, HEAD, Columns, decode_columns

BLOCKS = st.binary(min_size=BLOCK, max_size=BLOCK)
"""A feature. The size is fixed, so that fewer rows, or other features, change nothing in it."""

_DRAWN = 64
"""Features with bytes of their own; others read the same bytes, differently."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnCase:
    """A configuration, a state and a batch.

    Attributes:
        config: D, momentum (the weight of the old average) and ε.
        state: γ, β, running mean and running variance, (D,) float32 each.
        x: The batch, (N, D) float32.
    """

    config: Config
    state: State
    x: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of a layer: x, (N, D) float32, and whether it evaluates."""

    x: Float32
    use_running_average: bool


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """A configuration, a state, and the calls that follow, all of them on batches of one shape.

    Attributes:
        config: D, momentum (the weight of the old average) and ε.
        state: The state before the first call, four arrays of (D,) float32.
        calls: The calls, in their order.
    """

    config: Config
    state: State
    calls: tuple[Call, ...]


def draw_blocks(draw: st.DrawFn, features: int) -> list[bytes]:
    """Draw the bytes of each feature.

    They are best drawn last: a case with fewer features keeps all that was drawn before.
    """
    drawn = [draw(BLOCKS) for _ in range(min(features, _DRAWN))]
    return [_turned(drawn[at % _DRAWN], at // _DRAWN) for at in range(features)]


def columns_of(blocks: Sequence[bytes], rows: int, eps: float, change: bytes = b"") -> Columns:
    """Return the features that blocks of bytes stand for, with their entries of a state.

    Args:
        blocks: The bytes of each feature.
        rows: N.
        eps: ε, which scales some of the features.
        change: What is added to the bytes of every feature, for another batch.
    """
    if any(change):
        blocks = [
            bytes((b + c) % 256 for b, c in zip(block, change, strict=True)) for block in blocks
        ]
    return decode_columns([_with_rows(block, rows) for block in blocks], rows, eps)


def _with_rows(block: bytes, rows: int) -> bytes:
    """Return a block with one byte for each row, of which those that are 0 stay 0.

    Hypothesis shrinks bytes from the first to the last one, so the last one is that of the first
    row: what is left of a column are its first rows, and the others can be removed.
    """
    pattern = block[: HEAD - 1 : -1]
    turns = range(-(-rows // len(pattern)))
    return block[:HEAD] + b"".join(_turned(pattern, turn) for turn in turns)[:rows]


def _turned(raw: bytes, turn: int) -> bytes:
    return bytes(byte * (1 + 2 * turn) % 256 for byte in raw)
