"""Palettes: short lists of the shapes and configurations that all properties share.

Under JAX a new shape costs some 0.3 s eagerly and 0.1 s under jit, a known one a millisecond, and
a layer that compiles itself pays the same for each new pair of momentum and eps. So both come
from a list that is fixed before the run, while values vary freely.

The order matters: cases shrink to the first entry, the smallest.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace

from conformance.adapters.protocols import Config


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch shape, N rows by D features, and a configuration of the layer."""

    rows: int
    features: int
    momentum: float
    eps: float

    @property
    def config(self) -> Config:
        """The constructor arguments of the entry."""
        return Config(features=self.features, momentum=self.momentum, eps=self.eps)


SHAPES = (
    (2, 1),
    (1, 1),
    (1, 2),
    (3, 2),
    (4, 1),
    (3, 3),
    (5, 3),
    (8, 2),
    (7, 5),
    (16, 2),
    (4, 9),
    (17, 3),
    (33, 1),
    (40, 4),
)
"""N = 1, D = 1, N = D, N < D; odd and even; powers of two, their neighbors; pairs N, 2N."""

CONFIGS = (
    (0.75, 1e-5),
    (0.9, 1e-3),
    (0.0, 0.5),
    (0.3, 1e-6),
    (0.99, 0.1),
    (0.1, 1e-2),
    (1.0, 1e-4),
    (0.5, 1.0),
    (0.995, 1e-7),
    (0.6, 3e-5),
    (0.0, 1e-7),
    (0.9, 1e-5),
    (0.05, 0.2),
    (0.25, 1e-6),
)
"""Momentum at both ends and on both sides of the usual clips; eps from 1e-7 to 1."""

DEFAULT = tuple(
    Entry(rows, features, *CONFIGS[(index + shift) % len(CONFIGS)])
    for index, (rows, features) in enumerate(SHAPES)
    for shift in (0, 5)
)

BOUNDARIES = (7, 8, 9, 15, 17, 31, 32, 63, 65, 127, 128, 129)
BOUNDARIES_LARGE = (255, 257, 511, 512, 513, 1023, 1024, 1025)
"""For each power of two from 8 to 1024 a multiple of it, and sizes one above and one below one."""

DIVISIBLE = (12, 50, 100, 840)
"""Multiples of unusual block sizes: 840 is divisible by every number up to 8, and by 10 and 12."""

SIZES = sorted((*BOUNDARIES, *DIVISIBLE, *BOUNDARIES_LARGE))
_BOTH = ((1, 1), (1, 3), (2, 2), (10, 10), (33, 33), (9, 1), (257, 1), (129, 65))

SWEPT, EAGERLY = (0.75, 1e-5), (0.9, 1e-3)
"""Momentum and ε of entries of the sweep, and of those that are called without jit."""

SWEEP = tuple(
    Entry(rows, features, *SWEPT)
    for rows, features in (*_BOTH, *zip(SIZES, reversed(SIZES), strict=True))
)
"""Sizes next to the boundaries of every block, rows and features; iterated over, not drawn.

Each entry costs a compilation, so the sizes of one axis are paired with those of the other: the
smallest number of rows with the largest number of features, and so on.
"""

SWEEP_QUICK = (*SWEEP[: len(_BOTH)], *SWEEP[len(_BOTH) :: 2])
"""Every second pair, and so on either axis sizes between any two powers of two, and tails."""

EAGER = tuple(
    Entry(rows, features, *EAGERLY) for rows, features in ((1, 257), (65, 40), (300, 3), (1025, 1))
)
"""Sizes of the sweep for calls without jit: a tail may be wrong with or without it only."""

_FUNCTION = (0.9, 1e-5)
"""Momentum and ε of the forward function, which takes neither."""

FORWARD_SWEEP = tuple(
    Entry(rows, features, *_FUNCTION)
    for rows, features in (
        *((1, 1), (1, 2), (2, 1), (3, 3), (4097, 4)),
        *((entry.rows, entry.features) for entry in EAGER),
        *((31, 1024), (33, 200), (129, 1025), (840, 100), (1024, 31), (65537, 1)),
    )
)
"""Sizes for the forward function, which is not compiled, so that each of its operations costs a
program for each size: layers are called with the first ones, too, so these cost none. Together
with the grid a size of both axes lies between any two powers of two up to 1024, and any of them
divides a size and leaves a tail of another."""

FORWARD_SWEEP_QUICK = tuple(
    Entry(rows, features, *_FUNCTION)
    for rows, features in (
        *((1, 1), (1, 2), (2, 1), (3, 3)),
        *((entry.rows, entry.features) for entry in EAGER),
        *((33, 200), (129, 1025), (840, 100)),
    )
)
"""Those that cost nothing, and a few others."""

_AROUND_BLOCKS = (
    Entry(rows, features, *_FUNCTION)
    for rows, features in (
        *zip(BOUNDARIES, reversed(BOUNDARIES_LARGE + DIVISIBLE), strict=False),
        *zip(BOUNDARIES_LARGE, BOUNDARIES, strict=False),
    )
)
FORWARD_SWEEP_THOROUGH = tuple(dict.fromkeys((*FORWARD_SWEEP, *_AROUND_BLOCKS)))

COMPILED = (
    Entry(2, 1, 0.75, 1e-5),
    Entry(3, 3, 0.9, 1e-3),
    Entry(7, 2, 0.3, 0.1),
    Entry(13, 2, 0.0, 1e-10),
)
"""For properties that compile. Fused sums round worst at 7 and 13 rows, and 1/√ε = 1e5 for the
smallest ε is beyond the range of float16."""

TRANSFORMED = COMPILED[:3]
"""For properties under transforms, whose tracing costs more than the rest."""


_CORNERS = 20
"""Entries of the default palette that every seed keeps: ten shapes, each in two configurations."""


def palette_of(seed: int) -> tuple[Entry, ...]:
    """Return the palette of a seed: the corners of the default one, and four drawn shapes.

    The drawn shapes take the place of the larger ones, so that a seed changes shapes as well as
    values, and costs as many compilations.
    """
    rng = _random("grid", seed)
    shapes = (
        (rng.randint(3, 12), rng.randint(7, 24)),
        (rng.randint(17, 32), rng.randint(2, 5)),
        (rng.randint(33, 64), 1),
        (rng.randint(33, 48), rng.randint(2, 5)),
    )
    places = zip(DEFAULT[_CORNERS:], (shape for shape in shapes for _ in range(2)), strict=True)
    drawn = (replace(entry, rows=rows, features=width) for entry, (rows, width) in places)
    return (*DEFAULT[:_CORNERS], *drawn)


def _random(what: str, seed: int) -> random.Random:
    digest = hashlib.sha256(f"{what} {seed}".encode()).digest()
    return random.Random(digest)  # noqa: S311  shapes, not secrets


LARGEST = 4096


def draw_palette(seed: int) -> tuple[Entry, ...]:
    """Draw a palette from a seed, so that over many runs every size up to 4096 is tried.

    It keeps the first twelve entries of the default palette, among them the edge cases, and
    replaces all others: by small shapes, tall ones and wide ones.
    """
    rng = _random("palette", seed)

    def size() -> int:
        return rng.choice((rng.randint(2, LARGEST), round(2 ** rng.uniform(4, 12))))

    shapes = [(rng.randint(2, 48), rng.choice((1, 2, 3, 4, 6, 9, 12, 20))) for _ in range(8)]
    shapes += [(size(), rng.randint(1, 3)) for _ in range(4)]
    shapes += [(rng.randint(2, 4), size()) for _ in range(2)]
    drawn = [
        Entry(
            rows,
            features,
            rng.choice((0.0, 1.0, round(rng.random(), 3), round(1 - 10 ** rng.uniform(-4, -1), 4))),
            float(f"{10 ** rng.uniform(-7, 0):.2g}"),
        )
        for rows, features in shapes
    ]
    drawn.sort(key=lambda entry: entry.rows * entry.features)
    return (*DEFAULT[:12], *drawn)


def runs_eagerly(entry: Entry) -> bool:
    """Return whether an entry of the sweep is for calls without jit."""
    return (entry.momentum, entry.eps) == EAGERLY


def with_momentum(momentum: float, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return the entries with another momentum."""
    return tuple(Entry(e.rows, e.features, momentum, e.eps) for e in entries)
