"""Rates of optimizer steps, and the check that gamma and beta descended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conformance.adapters.protocols import PARAMETERS
from conformance.numerics import bounds
from conformance.numerics.bounds import GradientBounds
from conformance.numerics.oracle import Gradient
from conformance.numerics.state import State
from conformance.properties.support.checks import check_within

RATES = (0.5, 0.125, 2.0**-10)

DECAY = 0.25
"""The weight decay λ."""

OTHER_MOMENTUM, OTHER_EPS = 0.4, 0.05
"""The configuration of the other layer."""


def check_descended(
    after: State,
    before: State,
    pulled: Sequence[tuple[Gradient, GradientBounds]],
    rate: float,
    *,
    of: str = "",
) -> None:
    """Check gamma and beta after a step along the sum of the gradients of several uses.

    Args:
        after: The state of the layer after the step, four arrays of (D,).
        before: Its state before the step, four arrays of (D,).
        pulled: The exact gradients and their bounds, one pair for each use.
        rate: The learning rate.
        of: What is appended to the names of gamma and beta.
    """
    for name in PARAMETERS:
        old = before.arrays()[name].astype(np.float64)
        parts = [getattr(wanted, name) for wanted, _ in pulled]
        limit = bounds.total(parts, [getattr(bound, name) for _, bound in pulled])
        gradient = sum(parts[1:], start=parts[0])
        moved = old - rate * (gradient + DECAY * old)
        bound = bounds.step(old, gradient, limit, rate, DECAY)
        check_within(f"{name}{of} after the step", after.arrays()[name], moved, bound)
