"""Requirements that do not apply to a layer because of what it fixes or lacks by design."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Restriction:
    """A design, and the requirements that it leaves nothing of.

    Attributes:
        words: The reason in a report.
        without: What the layer does not have: names of arrays, "momentum" and "eps" for arguments
            of its constructor, "flag" for an argument of its call, "numpy" for NumPy arrays.
        ids: The requirements.
    """

    words: str
    without: frozenset[str]
    ids: frozenset[str]


def _restriction(words: str, without: str, *ids: str) -> Restriction:
    return Restriction(words, frozenset(without.split()), frozenset(f"BN-{name}" for name in ids))


RESTRICTIONS = (
    _restriction("momentum is fixed", "momentum", "INIT-7", "EMA-4", "EMA-5", "EMA-8", "EMA-9"),
    _restriction("eps is fixed", "eps", "TRAIN-7", "EPS-2"),
    _restriction("momentum and eps are fixed", "momentum eps", "STATE-4"),
    _restriction("there is no gamma", "gamma", "INIT-1", "GRAD-2"),
    _restriction("there is no beta", "beta", "INIT-2", "GRAD-1"),
    _restriction(
        "there are no gamma and beta",
        "gamma beta",
        *("STATE-1", "AFF-1", "AFF-2", "GRAD-6", "GRAD-7", "REMAT-1", "SHARED-2"),
    ),
    _restriction(
        "there are no running statistics",
        "running_mean running_var",
        *("INIT-3", "INIT-4", "STATE-2", "STATE-6", "JIT-2"),
        *(f"EMA-{number}" for number in range(1, 10)),
    ),
    _restriction(
        "the mode is not a boolean argument of the call",
        "flag",
        "FLAG-4",
        "FLAG-5",
        "FLAG-6",
        "FLAG-8",
    ),
    _restriction("it is given JAX arrays alone", "numpy", "SHAPE-2"),
)


def restriction_on(identity: str, without: Set[str]) -> str:
    """Return why a requirement does not apply to a design; empty if it does.

    Args:
        identity: The id of the requirement.
        without: What the layer does not have; see ``Restriction``.
    """
    found = (r.words for r in RESTRICTIONS if identity in r.ids and r.without <= without)
    return next(found, "")
