"""Deviations: the conventions that an implementation may declare, and where each is visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, EnumMeta
from typing import Any

from conformance.requirements.requirement import Capability

DTYPES = ("bfloat16", "float16", "float64")
"""What arrays, or y, may be declared to have instead of float32."""


def _with(kind: str, dtype: str) -> str:
    return f'{kind}_in("{dtype}")'


RENAMED = {
    f"{kind.upper()}_IN_{dtype.upper()}": _with(kind, dtype)
    for kind in ("statistics", "output")
    for dtype in DTYPES
}
"""Names of earlier versions, and those of today."""


LARGEST_DEBIASED = 0.99
"""The largest momentum of averages that are divided by 1 − mᵗ, of which little is left near 1."""


class _Names(EnumMeta):
    """Refuses names of earlier versions, and says what they are today."""

    def __getattr__(cls, name: str) -> Any:
        if name in RENAMED:
            msg = f"Deviation.{name} is now Deviation.{RENAMED[name]}"
            raise AttributeError(msg)
        if name.startswith("_") or name not in cls.__members__:
            msg = f"Deviation has no member {name!r}"
            raise AttributeError(msg)
        return cls.__members__[name]  # of Python 3.11, which looks members up by this method


class Deviation(Enum, metaclass=_Names):
    """A known convention that an implementation may declare to follow.

    A declared deviation is judged by the declared convention, is reported as a deviation, and must
    be confirmed by the behaviour. ``statistics_in``, ``parameters_in`` and ``output_in`` declare
    other dtypes of what a layer stores, or returns for inputs of float32.
    """

    __hash__ = object.__hash__  # members are looked up in sets a hundred thousand times

    ONE_PASS_VARIANCE = "variance computed in one pass, as E[x²] − E[x]²"
    MOMENTUM_OF_NEW_VALUE = "momentum weighs the new value: rm' = (1−m)·rm + m·μ"
    UNBIASED_RUNNING_VARIANCE = "the running variance follows v·N/(N−1)"
    EMA_NORMALISED_TRAINING = "training normalises with the updated running statistics"
    SINGLE_ROW_REFUSED = "a training call on a single row raises, and changes nothing"
    TRUTHY_FLAG = "any flag but 0 evaluates, .3 and NaN as well"
    GRADIENT_THROUGH_STATISTICS = "the updated running statistics carry a gradient back to x"
    ZERO_DEBIASED_STATISTICS = "the averages are sums from 0, divided by 1 − mᵗ after t updates"
    FIRST_BATCH_REPLACES = "the first batch replaces the running statistics, whatever momentum is"
    ALWAYS_EVALUATES = "every call evaluates, and nothing moves: frozen, or for inference only"
    ALWAYS_TRAINS = "every call normalises with its batch: there are no running statistics"
    locals().update(
        {_with("statistics", d): f"the running statistics are stored in {d}" for d in DTYPES}
        | {_with("parameters", d): f"gamma and beta are {d}" for d in DTYPES}
        | {_with("output", d): f"y is {d}, for an input of float32" for d in DTYPES}
    )  # members whose names are the calls that return them

    @property
    def kind(self) -> str:
        """The name without a dtype: of each kind, a layer has one."""
        return self.name.partition("(")[0]

    @classmethod
    def statistics_in(cls, dtype: str) -> Deviation:
        """Return the deviation of a layer that stores its running statistics in another dtype.

        Args:
            dtype: "bfloat16", "float16" or "float64".

        Raises:
            ValueError: It is another one.
        """
        return cls._named("statistics", dtype)

    @classmethod
    def parameters_in(cls, dtype: str) -> Deviation:
        """Return the deviation of a layer that stores gamma and beta in another dtype.

        Args:
            dtype: "bfloat16", "float16" or "float64".

        Raises:
            ValueError: It is another one.
        """
        return cls._named("parameters", dtype)

    @classmethod
    def output_in(cls, dtype: str) -> Deviation:
        """Return the deviation of a layer whose y has another dtype, for an input of float32.

        Args:
            dtype: "bfloat16", "float16" or "float64".

        Raises:
            ValueError: It is another one.
        """
        return cls._named("output", dtype)

    @classmethod
    def _named(cls, kind: str, dtype: str) -> Deviation:
        if dtype not in DTYPES:
            rule = f"expected one of {', '.join(DTYPES)}; float32 needs no declaration"
            raise ValueError(f"Deviation.{kind}_in({dtype!r}): {rule}")
        return cls[_with(kind, dtype)]


@dataclass(frozen=True, slots=True)
class Visibility:
    """Where a deviation is visible.

    Attributes:
        needs: The capability that must be offered.
        words: The name of the capability in messages.
        offer: How an author offers it, as an imperative.
    """

    needs: Capability
    words: str
    offer: str


_LAYER = Visibility(Capability.LAYER, "a layer", "give `build`, a function from Config to Layer")
_FUNCTION = Visibility(
    Capability.FORWARD, "a forward function", "give `forward`, a function of (seed, x, flag)"
)
_GRADIENTS = Visibility(Capability.GRAD, "gradients", "let the adapter offer gradients")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviationSpec:
    """What the suite knows about a deviation.

    Attributes:
        shown_by: The requirement whose inputs show the deviation, if it is there.
        sets_aside: Requirements that cannot hold under it, and do not apply to a layer that
            declares it.
        visible_in: What must be offered for it to be visible.
        visible_in_output: It is visible in y of a training call, hence also in a forward function
            without a layer.
        judged_by_bounds: Its bound contains the strict one, so one run judges both readings.
    """

    shown_by: str
    sets_aside: tuple[str, ...] = ()
    visible_in: Visibility = _LAYER
    visible_in_output: bool = False
    judged_by_bounds: bool = False


_BEYOND_GRADIENTS = tuple(f"BN-GRAD-{number}" for number in (10, 11, 12, 13))
"""Forward mode and second derivatives."""

_OUTPUT_IN_16_BITS = DeviationSpec(
    shown_by="BN-TRAIN-1",
    visible_in_output=True,
    sets_aside=(  # their cotangents, or their inputs, are such a y
        *(f"BN-GRAD-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 9)),
        *_BEYOND_GRADIENTS,
        *("BN-REMAT-1", "BN-SHARED-1", "BN-SHARED-2", "BN-LARGE-3"),
    ),
)

_PARAMETERS_IN_16_BITS = DeviationSpec(
    shown_by="BN-INIT-5",
    sets_aside=(  # gradients of gamma and beta have their dtype
        *(f"BN-GRAD-{number}" for number in (1, 2, 5, 6, 7, 9)),
        *_BEYOND_GRADIENTS,
        *("BN-REMAT-1", "BN-SHARED-2", "BN-LARGE-3"),
    ),
)

DEVIATIONS: Mapping[Deviation, DeviationSpec] = {
    Deviation.ONE_PASS_VARIANCE: DeviationSpec(
        shown_by="BN-NUM-1", visible_in_output=True, judged_by_bounds=True
    ),
    Deviation.MOMENTUM_OF_NEW_VALUE: DeviationSpec(shown_by="BN-EMA-1"),
    Deviation.UNBIASED_RUNNING_VARIANCE: DeviationSpec(
        shown_by="BN-EMA-2",
        sets_aside=("BN-TRAIN-5",),  # N/(N−1) is not that of 2N rows
    ),
    Deviation.EMA_NORMALISED_TRAINING: DeviationSpec(
        shown_by="BN-TRAIN-1",
        visible_in_output=True,
        sets_aside=(
            *("BN-TRAIN-2", "BN-TRAIN-10"),  # y depends on the averages, and is not standardized
            "BN-TYPE-4",  # its bound is for normalizing with the batch
            "BN-SHARED-2",  # gradients of a second use in one forward pass, at moved averages
            *_BEYOND_GRADIENTS,  # their formulas are for normalizing with the batch
        ),
    ),
    Deviation.SINGLE_ROW_REFUSED: DeviationSpec(shown_by="BN-TRAIN-8"),
    Deviation.TRUTHY_FLAG: DeviationSpec(shown_by="BN-FLAG-2", visible_in=_FUNCTION),
    Deviation.GRADIENT_THROUGH_STATISTICS: DeviationSpec(
        shown_by="BN-GRAD-8", sets_aside=("BN-GRAD-8",), visible_in=_GRADIENTS
    ),
    Deviation.ZERO_DEBIASED_STATISTICS: DeviationSpec(
        shown_by="BN-EMA-3",
        sets_aside=("BN-EMA-4", "BN-EMA-8"),  # momentum 1 divides by 1 − 1ᵗ
    ),
    Deviation.FIRST_BATCH_REPLACES: DeviationSpec(shown_by="BN-EMA-1"),
    Deviation.ALWAYS_EVALUATES: DeviationSpec(
        shown_by="BN-EMA-1",
        visible_in_output=True,
        sets_aside=(
            *(f"BN-TRAIN-{number}" for number in (2, 6, 7, 8, 9, 10)),  # of the batch's statistics
            *("BN-EMA-4", "BN-EMA-5", "BN-EMA-6", "BN-EMA-8", "BN-JIT-2"),
            *("BN-STATE-1", "BN-GRAD-6", "BN-GRAD-7", "BN-REMAT-1", "BN-SHARED-2"),  # not trained
        ),
    ),
    Deviation.ALWAYS_TRAINS: DeviationSpec(
        shown_by="BN-EVAL-1",
        sets_aside=(
            *("BN-EVAL-3", "BN-EVAL-4", "BN-EVAL-6"),  # of stored statistics
            *(f"BN-EMA-{number}" for number in range(1, 9)),
            *("BN-STATE-2", "BN-STATE-6", "BN-INIT-3", "BN-INIT-4", "BN-GRAD-8"),
        ),
    ),
    Deviation.statistics_in("bfloat16"): DeviationSpec(shown_by="BN-INIT-5"),
    Deviation.statistics_in("float16"): DeviationSpec(
        shown_by="BN-INIT-5",
        sets_aside=("BN-NUM-2", "BN-NUM-3"),  # sizes that float16 does not have
    ),
    Deviation.statistics_in("float64"): DeviationSpec(shown_by="BN-INIT-5"),
    Deviation.parameters_in("bfloat16"): _PARAMETERS_IN_16_BITS,
    Deviation.parameters_in("float16"): _PARAMETERS_IN_16_BITS,
    Deviation.parameters_in("float64"): DeviationSpec(shown_by="BN-INIT-5"),
    Deviation.output_in("bfloat16"): _OUTPUT_IN_16_BITS,
    Deviation.output_in("float16"): _OUTPUT_IN_16_BITS,
    Deviation.output_in("float64"): DeviationSpec(shown_by="BN-SHAPE-3", visible_in_output=True),
}
"""Every deviation. Adding one takes a member above, a row here, and a method of ``Conventions``."""


def visibility_of(deviation: Deviation, offered: frozenset[Capability]) -> Visibility:
    """Return where a deviation is visible in an implementation.

    Args:
        deviation: The deviation.
        offered: The capabilities of the implementation.
    """
    spec = DEVIATIONS[deviation]
    without_layer = Capability.LAYER not in offered
    return _FUNCTION if without_layer and spec.visible_in_output else spec.visible_in
