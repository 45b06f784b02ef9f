"""The registry of properties by requirement."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.requirements import REQUIREMENTS, Requirement
from conformance.strategies.bytestream import ByteStrategy
from conformance.strategies.shape_grid import Entry

Claim = Callable[..., Any]
"""Returns None, an iterator or, of a MAY row, a sentence; see ``Property``."""

Palettes = tuple[tuple[Entry, ...], ...]
Mined = Callable[[Sequence[float]], Palettes]
StrategyOf = Callable[[tuple[Entry, ...]], ByteStrategy[Any]]


@dataclass(frozen=True, slots=True)
class Property:
    """A requirement, the function that judges it, and the strategies of its arguments.

    Attributes:
        requirement: The row of the table.
        claim: The function. It acts and checks; where it yields between the two, once, the
            operations of several cases are executed before they are checked. That of a MAY row
            checks nothing, takes the subject alone, and returns what it has observed, a sentence
            without its subject and full stop.
        strategies: The strategy of each argument, as a function of the palette.
        share: The part of the run's cases per property that is worth its cost: a requirement about
            a fresh layer has little to vary, one that runs hundreds of steps costs much per case.
        palettes: Palettes that replace that of the run; the property is judged on each in turn.
        mined: Further palettes, from the numbers that the source of the implementation mentions.
        by_profile: Those of profiles that have others.
        simplest: Whether the first case is the simplest one, whatever the seed of the run: not
            where few cases are worth their cost.
    """

    requirement: Requirement
    claim: Claim
    strategies: Mapping[str, StrategyOf]
    share: float
    palettes: Palettes
    mined: Mined | None = None
    by_profile: Mapping[str, Palettes] = field(default_factory=dict)
    simplest: bool = True

    def palettes_of(self, profile: str) -> Palettes:
        """Return the palettes that replace that of a run in a profile; none if it keeps its own."""
        return self.by_profile.get(profile, self.palettes)

    @property
    def source(self) -> str:
        """The source text of the claim."""
        return inspect.getsource(self.claim)


PROPERTIES: dict[str, Property] = {}
"""Every property by requirement id; filled when ``conformance.properties`` is imported."""


def requirement(
    identity: str,
    *,
    share: float = 1.0,
    palettes: Palettes = (),
    mined: Mined | None = None,
    by_profile: Mapping[str, Palettes] | None = None,
    simplest: bool = True,
    **strategies: StrategyOf,
) -> Callable[[Claim], Claim]:
    """Register the decorated function as the one property of a requirement.

    Args:
        identity: The id of the requirement.
        share: See ``Property``.
        palettes: See ``Property``.
        mined: See ``Property``.
        by_profile: See ``Property``.
        simplest: See ``Property``.
        **strategies: The strategy of each argument, as a function of the palette.

    Raises:
        ValueError: The id is not in the table, or has a property already.
    """
    if identity not in REQUIREMENTS:
        msg = f"{identity!r} is not in the requirement table: add the row first"
        raise ValueError(msg)
    if identity in PROPERTIES:
        msg = f"{identity} is judged by {PROPERTIES[identity].claim.__name__} already"
        raise ValueError(msg)

    def register(claim: Claim) -> Claim:
        row = REQUIREMENTS[identity]
        PROPERTIES[identity] = Property(
            row, claim, strategies, share, palettes, mined, by_profile or {}, simplest
        )
        return claim

    return register
