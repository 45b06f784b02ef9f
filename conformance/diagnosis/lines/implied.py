"""The values that the results of a call imply, where no known mistake explains them.

If only one step is wrong, those after it are right, and its value can be computed back from the
results. An expression with exactly that value computes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from conformance.diagnosis.approximate import Approximate, exact, rearrange
from conformance.diagnosis.lines.expressions import is_clear
from conformance.diagnosis.lines.steps import (
    Quantities,
    Wrong,
    compare,
    inputs,
    is_known,
    quantities,
    state_of,
)
from conformance.diagnosis.observe import Observation
from conformance.numerics.bounds import U
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import AnyArray, State


@dataclass(frozen=True, slots=True)
class Implied:
    """A wrong value that a result implies.

    Attributes:
        wrong: The value.
        after: Quantities one of which must be right for this one to be the first that is wrong.
    """

    wrong: Wrong
    after: tuple[Approximate, ...] = ()


def find_implied(
    observation: Observation, conventions: Conventions, others: Iterable[Approximate] = ()
) -> list[Implied]:
    """Return what the first wrong result of a call implies, in the order of computation.

    Args:
        observation: The call of a layer, the state before it, and its results.
        conventions: What the implementation declares.
        others: Values that are right for something else, besides those of the call.
    """
    truth = quantities((), conventions, observation)
    if not truth:
        return []
    known = [*inputs(observation).values(), *truth.values(), *others]
    found: list[Implied] = []
    with np.errstate(all="ignore"):
        for name, value, after in _back(observation, conventions, truth):
            wrong = compare(name, value, truth.get(name))
            if wrong is not None and is_known(wrong.predicted, known):
                break  # what is computed from it is not to blame
            if wrong is not None:
                found.append(Implied(wrong, tuple(truth[each] for each in after if each in truth)))
    return found


def is_wrong(observation: Observation, conventions: Conventions) -> bool:
    """Return whether a result of a call is clearly wrong."""
    truth = quantities((), conventions, observation)
    with np.errstate(all="ignore"):
        return bool(truth) and any(True for _ in _back(observation, conventions, truth))


_Back = Iterator[tuple[str, Approximate, tuple[str, ...]]]


def _back(observation: Observation, conventions: Conventions, truth: Quantities) -> _Back:
    """Yield quantities by name, and those before each, from the first result that is wrong."""
    call, before, after = observation.call, observation.before, observation.after
    if call is None or observation.y is None:
        return
    if before is not None and after is not None:
        wrong = [*_back_from_statistics(before, after, observation, conventions, truth)]
        yield from wrong
        if wrong:
            return
    y = _rounded(observation.y)
    if "y" in truth and y.value.size == truth["y"].value.size:
        y = rearrange(lambda each: each.reshape(truth["y"].shape), y)
        if is_clear(y, truth["y"]).any():
            yield from _back_from_output(y, observation, truth)


def _back_from_statistics(
    before: State,
    after: State,
    observation: Observation,
    conventions: Conventions,
    truth: Quantities,
) -> _Back:
    """Yield what the first wrong running statistic implies."""
    call = observation.call
    assert call is not None, "a layer is called"  # noqa: S101
    kept = conventions.weight_of_old(observation.config.momentum, before.count)
    statistics = ("mean", "variance") if call.training and kept < 1 else ()
    for statistic, attribute in zip(statistics, ("running_mean", "running_var"), strict=False):
        running, batch = f"running {statistic}", f"batch {statistic}"
        new = _rounded(getattr(after, attribute))
        if running in truth and is_clear(new, truth[running]).any():
            old = exact(np.asarray(getattr(before, attribute), np.float64))
            yield batch, (new - kept * old) / (1 - kept), ()
            yield running, new, (batch,)
            return


def _back_from_output(y: Approximate, observation: Observation, truth: Quantities) -> _Back:
    """Yield the quantities between the statistics and y, (N, D)."""
    before = state_of(observation)
    gamma, beta = (exact(np.asarray(each, np.float64)) for each in (before.gamma, before.beta))
    z = (y - beta) / gamma
    if "x − mean" in truth:
        ratio = z / truth["x − mean"]
        row = int(np.argmin(ratio.error.max(axis=1)))
        inverse = ratio[row]
        gap = np.abs(ratio.value - inverse.value)
        if (gap <= 2 * (ratio.error + inverse.error)).all():  # not NaN, and equal in all rows
            deviation = 1 / inverse
            yield "v", deviation * deviation - observation.config.eps, ()
            yield "v + ε", deviation * deviation, ()
            yield "√(v+ε)", deviation, ()
            yield "1/√(v+ε)", inverse, ()
    if "x − mean" in truth and (mean := _implied_mean(z, truth)) is not None:
        yield "mean in use", truth["mean in use"] - mean, ()
        yield "x − mean", truth["x − mean"] + mean, ()
        return
    yield "z", z, ("v + ε", "√(v+ε)", "1/√(v+ε)")
    yield "y", y, ("z",)


def _implied_mean(z: Approximate, truth: Quantities) -> Approximate | None:
    """Return how much too small the mean is, if nothing else can be wrong; None if it can."""
    gap = z / truth["1/√(v+ε)"] - truth["x − mean"]
    row = gap[int(np.argmin(gap.error.max(axis=1)))]
    equal = np.abs(gap.value - row.value) <= 2 * (gap.error + row.error)
    return row if equal.all() and len(equal) > 1 else None


def _rounded(array: AnyArray) -> Approximate:
    """Return a result of float32 with its rounding error."""
    value = np.asarray(array, np.float64)
    return Approximate(value, U * np.abs(value))
