"""How thoroughly to judge, and for how long. Imports the standard library only."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The resolved choices of a run that decide which cases are generated.

    Attributes:
        profile: The name of the profile.
        max_examples: Cases per property, before its share.
        seed: The seed of the run; None lets Hypothesis choose, by its own options.
        palette_seed: Draw nearly all shapes from this seed; None keeps the corners of the default
            palette, and draws the rest from ``seed`` if there is one.
        hypothesis: The ``hypothesis.settings`` to start from, if the user loaded a profile.
        minimize: Make counterexamples small, instead of reporting the first one found.
    """

    profile: str = "default"
    max_examples: int = 100
    seed: int | None = 0
    palette_seed: int | None = None
    hypothesis: Any = None
    minimize: bool = True


MAX_EXAMPLES = {"quick": 20, "default": 100, "thorough": 1000}
"""Cases per property in each profile."""

PROFILES = tuple(MAX_EXAMPLES)
"""``quick`` for a glance, ``default`` reproducible, ``thorough`` random on fresh shapes."""


def choose_seed(profile: str, seed: int | None) -> int:
    """Return the seed of a run: the given one, 0 for reproducible profiles, or a random one.

    Args:
        profile: The name of the profile.
        seed: The user's choice; None for none.
    """
    if seed is not None:
        return seed
    if profile != "thorough":
        return 0
    import secrets  # noqa: PLC0415  imports OpenSSL, which every command would pay for

    return secrets.randbelow(2**31)


def budget(
    profile: str = "default",
    *,
    seed: int | None = 0,
    max_examples: int | None = None,
    hypothesis: Any = None,
    minimize: bool = True,
) -> Budget:
    """Return the budget of a profile, with what the user overrides.

    Args:
        profile: The name of the profile.
        seed: The seed of the run, and in the thorough profile of its shapes; see ``Budget``.
        max_examples: Cases per property; None for the number of the profile.
        hypothesis: The ``hypothesis.settings`` to start from, if the user loaded a profile.
        minimize: Make counterexamples small.

    Raises:
        KeyError: There is no such profile, and ``max_examples`` is None.
    """
    return Budget(
        profile=profile,
        max_examples=max_examples or MAX_EXAMPLES[profile],
        seed=seed,
        palette_seed=seed if profile == "thorough" else None,
        hypothesis=hypothesis,
        minimize=minimize,
    )


FIRST_CASES = 5
"""Cases that every requirement gets, however little time is left."""


def grace(seconds: float) -> float:
    """Return how long a run may go on after its time, for the first cases of what is left.

    Args:
        seconds: The time.
    """
    return max(10.0, seconds / 4)


class Clock:
    """Divides the time of a run among the requirements of one process.

    Time that one requirement does not use goes to those after it; what its first cases take beyond
    its part is taken from them.

    Attributes:
        ends: The end of the run in seconds since 1970, the same in all processes.
    """

    def __init__(self, ends: float, weight: float) -> None:
        """Start the clock.

        Args:
            ends: The end of the run in seconds since 1970.
            weight: The sum of the shares of the properties that this process is to judge.
        """
        self.ends = ends
        self._left = weight

    def until(self, share: float) -> float:
        """Return when the next requirement has to stop, in seconds since 1970.

        Args:
            share: The share of its property.
        """
        now = time.time()
        part = min(1.0, share / max(self._left, share))
        self._left -= share
        return now + max(0.0, self.ends - now) * part


def clock_of(ends: float | None, requirements: Iterable[str], processes: int) -> Clock | None:
    """Return a clock for one of several processes that share the requirements of a run.

    Args:
        ends: The end of the run in seconds since 1970; None if it has no limit.
        requirements: The ids of all that is to be judged, once for each implementation.
        processes: How many processes share them.
    """
    return None if ends is None else Clock(ends, sum(map(share_of, requirements)) / processes)


def cases_of(share: float, max_examples: int) -> int:
    """Return how many cases a property of some share gets on each of its palettes."""
    return max(1, round(max_examples * share))


def has_more_cases(requirement: str, max_examples: int, budget: Budget) -> bool:
    """Return whether a requirement has more cases in a budget than with fewer examples."""
    share = share_of(requirement)
    return cases_of(share, max_examples) < cases_of(share, budget.max_examples)


def share_of(requirement: str) -> float:
    """Return the share of a requirement in the cases of a run; imports all properties."""
    from conformance.properties import PROPERTIES  # noqa: PLC0415  imports NumPy and Hypothesis

    return PROPERTIES[requirement].share
