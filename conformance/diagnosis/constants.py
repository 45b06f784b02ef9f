"""Solves for the constant of a mistake on one number, and verifies it on all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from conformance.diagnosis.fault_model import Alternative
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.prediction import Predictor, Quantities, error_ratios
from conformance.diagnosis.scopes import Part

_PROBES = 3
"""How many numbers, each of a different call, the constant is solved from."""

_STEPS = 60
_DIGITS = 7
"""A float32 has 7 digits; a constant with more of them would be fitted, not found."""


def constants(evidence: Evidence, alternative: Alternative) -> Iterator[float]:
    """Yield the candidates for the constant of a mistake, the shortest first.

    Args:
        evidence: The observations and the predictions without a mistake.
        alternative: A mistake with a parameter.
    """
    assert alternative.parameter is not None, "has a constant"  # noqa: S101
    if alternative.parameter.threshold:
        yield from alternative.parameter.grid
        return
    seen: set[float] = set()
    solved = 0
    grid = [float(c) for c in alternative.parameter.grid]
    for predict, got in _probes(evidence, alternative):
        if solved == _PROBES:
            return
        if _is_independent(predict, grid) and np.isclose(predict(grid[0]), got, rtol=1e-5):
            continue  # it is reproduced whatever the constant
        solved += 1
        found = list(_roots(predict, got, grid))
        if not found:
            return  # the mistake would have to reproduce this number, too
        for exact_constant in found:
            for constant in _round_shortest(exact_constant):
                if constant not in seen:
                    seen.add(constant)
                    yield constant


def _probes(
    evidence: Evidence, alternative: Alternative
) -> Iterator[tuple[Callable[[float], float], float]]:
    """Yield functions from the constant to one predicted number, and that number as observed."""
    for index in evidence.deviant:
        truth, seen = evidence.truth[index], evidence.seen[index]
        if truth is None or evidence.observations[index].raised:
            continue
        place = _worst_place(truth, seen)
        if place is None:
            continue
        name, where = place

        def predict(
            constant: float, index: int = index, name: str = name, where: int = where
        ) -> float:
            key = alternative.id, id(evidence.observations[index]), name, constant
            if key not in evidence.solved:
                parts = (*evidence.base, Part(alternative.steps(constant)))
                predicted = Predictor(parts, evidence.conventions).one(evidence.observations[index])
                evidence.solved[key] = _number(predicted, name, where)
            return evidence.solved[key]

        yield predict, float(seen[name].value.ravel()[where])


def _number(predicted: Quantities | None, name: str, where: int) -> float:
    """Return one predicted number, or NaN if there is none."""
    values = np.zeros(0) if predicted is None or name not in predicted else predicted[name].value
    return float(values.ravel()[where]) if where < values.size else float("nan")


def _worst_place(truth: Quantities, seen: Quantities) -> tuple[str, int] | None:
    worst, place = 1.0, None
    for name, ratio in error_ratios(truth, seen).items():
        if name in seen and ratio.size == seen[name].value.size > 0:
            usable = np.where(np.isfinite(seen[name].value) & np.isfinite(ratio), ratio, 0).ravel()
            if usable.max() > worst:
                worst, place = float(usable.max()), (name, int(usable.argmax()))
    return place


def _is_independent(predict: Callable[[float], float], points: Sequence[float]) -> bool:
    """Return whether a predicted number does not depend on the constant."""
    return len({predict(points[i]) for i in (0, len(points) // 2, -1)}) == 1


def _roots(
    predict: Callable[[float], float], got: float, points: Sequence[float]
) -> Iterator[float]:
    """Yield constants for which the prediction equals the observed number.

    Args:
        predict: Maps the constant to the predicted number.
        got: The observed number.
        points: Values that bracket the constant.
    """
    if _is_independent(predict, points):
        return
    gaps = [predict(c) - got for c in points]
    for left, right, first, last in zip(points, points[1:], gaps, gaps[1:], strict=False):
        if first == 0:
            yield left
        elif np.isfinite(first) and np.isfinite(last) and (first < 0) != (last < 0):
            yield _root(lambda c: predict(c) - got, (left, first), (right, last))
    if gaps and gaps[-1] == 0:
        yield points[-1]


def _root(
    gap: Callable[[float], float], one: tuple[float, float], two: tuple[float, float]
) -> float:
    """Return a constant with a gap of zero, between two with gaps of different signs.

    Each prediction costs as much as a call of the model: a secant takes fewer than bisection.

    Args:
        gap: Maps the constant to what its prediction exceeds the observed number by.
        one: A constant and its gap.
        two: Another one.

    Source: Dowell and Jarratt 1971, A modified regula falsi method (the Illinois algorithm).
    """
    (kept, size), (last, latest) = one, two
    for _ in range(_STEPS):
        guess = last - latest * (last - kept) / (latest - size)
        if not min(kept, last) < guess < max(kept, last):
            guess = (kept + last) / 2
        step, found = abs(guess - last), gap(guess)
        if found == 0 or step <= 1e-12 * abs(guess):
            return guess
        if (found < 0) == (latest < 0):
            size /= 2  # or one end would be kept for ever
        else:
            kept, size = last, latest
        last, latest = guess, found
    return last


def _round_shortest(constant: float) -> Iterator[float]:
    """Yield the constant rounded to 1, 2, … significant digits."""
    last = None
    for digits in range(1, _DIGITS + 1):
        short = float(f"{constant:.{digits}g}")
        if short != last:
            yield short
        last = short
