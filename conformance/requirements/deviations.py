"""Deviations: the conventions that an implementation may declare, and where each of them shows."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from conformance.requirements.requirement import Capability


class Deviation(Enum):
    """A known convention that an implementation may declare to follow.

    What is declared is judged by the declared convention, shown as a deviation, and has to
    be borne out by the behaviour.
    """

    ONE_PASS_VARIANCE = "variance computed in one pass, as E[x²] − E[x]²"
    MOMENTUM_OF_NEW_VALUE = "momentum weighs the new value: rm' = (1−m)·rm + m·μ"
    UNBIASED_RUNNING_VARIANCE = "the running variance follows v·N/(N−1)"
    EMA_NORMALISED_TRAINING = "training normalises with the updated running statistics"
    SINGLE_ROW_REFUSED = "a training call on a single row raises, and changes nothing"
    TRUTHY_FLAG = "any flag but 0 evaluates, .3 and NaN as well"
    GRADIENT_THROUGH_STATISTICS = "the updated running statistics carry a gradient back to x"
    ZERO_DEBIASED_STATISTICS = "the averages are sums from 0, divided by 1 − mᵗ after t updates"
    STATISTICS_IN_BFLOAT16 = "the running statistics are stored in bfloat16"
    STATISTICS_IN_FLOAT16 = "the running statistics are stored in float16, which ends at 65504"
    STATISTICS_IN_FLOAT64 = "the running statistics are stored in float64"
    OUTPUT_IN_BFLOAT16 = "y is bfloat16, for an input of float32"
    OUTPUT_IN_FLOAT16 = "y is float16, for an input of float32"
    OUTPUT_IN_FLOAT64 = "y is float64, for an input of float32"
    FIRST_BATCH_REPLACES = "the first batch replaces the running statistics, whatever momentum is"


class Shown(NamedTuple):
    """Where a deviation shows: what has to be offered, what that is called, how it is given."""

    needs: Capability
    called: str
    given: str


_LAYER = Shown(Capability.LAYER, "a layer", "give `build`, a function from Config to Layer")


_FUNCTION = Shown(
    Capability.FORWARD, "a forward function", "give `forward`, a function of (seed, x, flag)"
)


_GRADIENTS = Shown(Capability.GRAD, "gradients", "let the adapter offer gradients")


_OF_EITHER = frozenset(
    {
        Deviation.ONE_PASS_VARIANCE,
        Deviation.EMA_NORMALISED_TRAINING,
        Deviation.OUTPUT_IN_BFLOAT16,
        Deviation.OUTPUT_IN_FLOAT16,
        Deviation.OUTPUT_IN_FLOAT64,
    }
)
"""What shows in y of a training call, and so in a forward function without a layer."""


def shown_in(deviation: Deviation, offered: frozenset[Capability]) -> Shown:
    """Return where the deviation shows, in an implementation that offers this."""
    if deviation is Deviation.TRUTHY_FLAG:
        return _FUNCTION
    if deviation is Deviation.GRADIENT_THROUGH_STATISTICS:
        return _GRADIENTS
    layerless = Capability.LAYER not in offered
    return _FUNCTION if layerless and deviation in _OF_EITHER else _LAYER
