"""Conventions: how declared deviations change the oracle, the bounds, and construction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.adapters.design import PLAIN, Design
from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS, Config
from conformance.numerics.dtypes import LARGEST_IN_FLOAT16, ROUNDOFF, SPACING_AT_ZERO
from conformance.requirements.deviations import DTYPES, LARGEST_DEBIASED, Deviation

_COUNTING = frozenset({Deviation.ZERO_DEBIASED_STATISTICS, Deviation.FIRST_BATCH_REPLACES})
_STORED = {Deviation.statistics_in(dtype): dtype for dtype in DTYPES}
_PARAMETERS = {Deviation.parameters_in(dtype): dtype for dtype in DTYPES}
_OUTPUT = {Deviation.output_in(dtype): dtype for dtype in DTYPES}


def _narrow_roundoff(dtype: str | None) -> float:
    return ROUNDOFF[dtype] if dtype in SPACING_AT_ZERO else 0.0


def _narrow_spacing(dtype: str | None) -> float:
    return SPACING_AT_ZERO.get(dtype or "", 0.0)


def _largest(dtype: str | None) -> float:
    return LARGEST_IN_FLOAT16 if dtype == "float16" else np.inf


@dataclass(frozen=True, slots=True)
class Conventions:
    """The conventions that an implementation is judged by.

    Without deviations every method returns what the requirements say.

    Attributes:
        deviations: The deviations that the implementation declares.
        design: What it fixes, lacks or adds by design.
    """

    deviations: frozenset[Deviation] = frozenset()
    design: Design = PLAIN

    def follows(self, deviation: Deviation) -> bool:
        """Return whether a deviation is declared."""
        return deviation in self.deviations

    def always_evaluates(self) -> bool:
        """Return whether a training call is an evaluation."""
        return Deviation.ALWAYS_EVALUATES in self.deviations

    def always_trains(self) -> bool:
        """Return whether evaluation normalises with the batch, and there are no averages."""
        return Deviation.ALWAYS_TRAINS in self.deviations

    def moves_statistics(self) -> bool:
        """Return whether a training call moves the running statistics."""
        return not (self.always_evaluates() or self.always_trains())

    def present(self, names: Iterable[str] = ARRAYS) -> tuple[str, ...]:
        """Return those of the named arrays that the layer has.

        Args:
            names: Names in ``ARRAYS``.
        """
        return tuple(name for name in names if name not in self.design.absent)

    def admits_one_pass(self) -> bool:
        """Return whether a variance computed as E[x²] − E[x]² is admitted."""
        return Deviation.ONE_PASS_VARIANCE in self.deviations

    def constructed(self, config: Config) -> Config:
        """Return the arguments of the constructor: 1−m where momentum weighs the new value.

        Args:
            config: The configuration with m, the weight of the old average.
        """
        config = self.design.configured(config)
        if Deviation.MOMENTUM_OF_NEW_VALUE not in self.deviations:
            return config
        return replace(config, momentum=1 - config.momentum)

    def share_stored(self, rows: int) -> float:
        """Return the factor s of the variance that is stored: 1, or N/(N−1) if declared.

        A single row has v = 0, which stays 0.

        Args:
            rows: N.
        """
        if Deviation.UNBIASED_RUNNING_VARIANCE in self.deviations and rows > 1:
            return rows / (rows - 1)
        return 1.0

    def counts(self) -> bool:
        """Return whether the number of updates behind the running statistics matters."""
        return not _COUNTING.isdisjoint(self.deviations)

    def as_count(self, read: Any) -> Any:
        """Return the count of updates that matters; for some deviations only the first is special.

        Args:
            read: The number of updates, a scalar or one for each lane.
        """
        if Deviation.ZERO_DEBIASED_STATISTICS in self.deviations:
            return read
        return np.minimum(read, 1)

    def counted(self, count: Any) -> Any:
        """Return the count after one more update; None, which stands for any number, stays None."""
        return None if count is None else self.as_count(count + 1)

    def weight_of_old(self, momentum: float, count: Any) -> float:
        """Return the weight of the old average after ``count`` updates: m by the requirements.

        Zero-debiased averages Σ (1−m)·mᵗ⁻ʲ·b_j / (1−mᵗ) keep m·(1−mᵗ⁻¹)/(1−mᵗ) with t = count + 1.
        If the first batch replaces the average, the weight is 0 at first and m later.

        Args:
            momentum: m.
            count: The number of updates before this one; None stands for any number.
        """
        if count is not None and Deviation.FIRST_BATCH_REPLACES in self.deviations:
            return 0.0 if count == 0 else momentum
        power, _ = self.remaining(momentum, count)
        return (momentum - power) / (1 - power)

    def remaining(self, momentum: float, count: Any) -> tuple[float, int]:
        """Return mᵗ, the share of a sum that is still 0 after this update, and t; or 0, 0.

        Args:
            momentum: m.
            count: The number of updates before this one; None stands for any number.
        """
        if count is None or Deviation.ZERO_DEBIASED_STATISTICS not in self.deviations:
            return 0.0, 0
        updates = int(count) + 1
        return momentum**updates, updates

    def largest_momentum(self) -> float:
        """Return the largest momentum that makes sense: 1, or less where 1 − mᵗ divides."""
        debiased = Deviation.ZERO_DEBIASED_STATISTICS in self.deviations
        return LARGEST_DEBIASED if debiased else 1.0

    def normalises_with_average(self) -> bool:
        """Return whether y of a training call is computed from rm' and rv' instead of μ and v."""
        return Deviation.EMA_NORMALISED_TRAINING in self.deviations

    def follows_gradient_through_averages(self) -> bool:
        """Return whether averages that normalise carry a gradient to x, or are constants."""
        return Deviation.GRADIENT_THROUGH_STATISTICS in self.deviations

    def weights_of_new(self, momentum: float, count: Any, rows: int) -> tuple[float, float, float]:
        """Return k, the weight of the batch in an average, the factor s of v, and e_k.

        e_k, the error of that weight, is that of an average of numbers of size 1.

        Args:
            momentum: m.
            count: The number of updates before this one; None stands for any number.
            rows: N.

        Returns:
            k, s and e_k, without units.
        """
        weight = 1 - self.weight_of_old(momentum, count)
        return (
            weight,
            self.share_stored(rows),
            self.roundings(momentum, count) * ROUNDOFF["float32"],
        )

    def roundings(self, momentum: float, count: Any) -> float:
        """Return the error in u of one update of an average of numbers of size 1.

        Args:
            momentum: m.
            count: The number of updates before this one; None stands for any number.
        """
        power, updates = self.remaining(momentum, count)
        return (6 + 2 * (updates + 6) * power) / (1 - power)

    def statistics_dtype(self) -> str | None:
        """Return the declared dtype of the running statistics, None if none is declared."""
        return self._declared(_STORED)

    def _declared(self, dtypes: Mapping[Deviation, str]) -> str | None:
        """Return the dtype of the only deviation that is declared of these, if one is."""
        return next((dtype for each, dtype in dtypes.items() if each in self.deviations), None)

    def stored_dtypes(self) -> dict[str, str]:
        """Return the dtype of each of the four arrays: float32 unless another is declared."""
        dtypes = dict.fromkeys(PARAMETERS, self._declared(_PARAMETERS) or "float32")
        return dtypes | dict.fromkeys(STATISTICS, self.statistics_dtype() or "float32")

    def gradient_roundoff(self) -> float:
        """Return u of dγ and dβ where that of γ and β is larger than that of float32, else 0."""
        return _narrow_roundoff(self.stored_dtypes()["gamma"])

    def stored_roundoff(self) -> float:
        """Return u of the running statistics where it is larger than that of float32, else 0."""
        return _narrow_roundoff(self.statistics_dtype())

    def stored_spacing(self) -> float:
        """Return the spacing of the smallest running statistics where it matters, else 0."""
        return _narrow_spacing(self.statistics_dtype())

    def largest_stored(self) -> float:
        """Return the size up to which computing a running statistic cannot overflow."""
        return _largest(self.statistics_dtype())

    def output_dtype(self) -> str | None:
        """Return the declared dtype of y, None if none is declared."""
        return self._declared(_OUTPUT)

    def output_roundoff(self) -> float:
        """Return u of y where it is larger than that of float32, else 0."""
        return _narrow_roundoff(self.output_dtype())

    def roundoff(self) -> float:
        """The larger unit roundoff of declared outputs and statistics of 16 bits; 0 for others."""
        return max(self.output_roundoff(), self.stored_roundoff())

    def output_spacing(self) -> float:
        """Return the spacing of the smallest y where it matters, else 0."""
        return _narrow_spacing(self.output_dtype())

    def largest_output(self) -> float:
        """Return the size up to which computing y cannot overflow."""
        return _largest(self.output_dtype())

    def evaluates(self, flag: Any) -> bool:
        """Return the mode that a flag selects: flag ≥ 0.5, or its truth value if declared.

        Args:
            flag: The value of ``use_running_average``.
        """
        return bool(flag) if Deviation.TRUTHY_FLAG in self.deviations else flag >= 0.5


STRICT = Conventions()
"""The requirements to the letter."""
