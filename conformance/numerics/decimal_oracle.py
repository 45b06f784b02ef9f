"""The oracle for float64: the same formulas in decimal arithmetic of 60 digits.

float64 NumPy rounds as the implementation does, so it cannot be its judge; NumPy's long double
is no wider than float64 on some platforms. Every float64 is a finite decimal, and 60 digits leave
an error of 1e-40 where batches are as small as those that are judged. Results are rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal, localcontext

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics import conventions
from conformance.numerics.oracle import Float64, Training
from conformance.numerics.state import State

_DIGITS = Context(prec=60, Emin=-5000, Emax=5000)

Column = list[Decimal]


def train(config: Config, state: State, x: npt.NDArray[np.float64]) -> Training:
    """Return what a training call on ``x``, (N, D), gives, starting from ``state``."""
    m, eps = Decimal(config.momentum), Decimal(config.eps)
    with localcontext(_DIGITS):
        columns = _exact(x)
        moments = [_moments(column) for column in columns]
        gamma, beta, old_mean, old_var = _parameters(state)
        share = Decimal(conventions.share_stored(len(x)))
        means, variances = zip(*moments, strict=True)
        running_mean = [m * r + (1 - m) * b for r, b in zip(old_mean, means, strict=True)]
        running_var = [m * r + (1 - m) * b * share for r, b in zip(old_var, variances, strict=True)]
        by_average = conventions.normalises_with_average()
        used = (running_mean, running_var) if by_average else (means, variances)
        zs = [_normalised(c, mean, var, eps) for c, mean, var in zip(columns, *used, strict=True)]
        ys = [_affine(*each) for each in zip(zs, gamma, beta, strict=True)]
    return Training(
        mean=_rounded(means),
        var=_rounded(variances),
        z=_rounded_columns(zs),
        y=_rounded_columns(ys),
        running_mean=_rounded(running_mean),
        running_var=_rounded(running_var),
    )


def evaluate(config: Config, state: State, x: npt.NDArray[np.float64]) -> Float64:
    """Return y = γ·(x−rm)/√(rv+ε) + β, what an evaluation call gives, (N, D)."""
    eps = Decimal(config.eps)
    with localcontext(_DIGITS):
        ys = [
            _affine(_normalised(column, mean, var, eps), gamma, beta)
            for column, gamma, beta, mean, var in zip(_exact(x), *_parameters(state), strict=True)
        ]
    return _rounded_columns(ys)


def _exact(x: npt.NDArray[np.float64]) -> list[Column]:
    return [[Decimal(value) for value in column] for column in x.T.tolist()]


def _parameters(state: State) -> list[Column]:
    return [[Decimal(value) for value in array.tolist()] for array in state.arrays().values()]


def _moments(column: Column) -> tuple[Decimal, Decimal]:
    mean = sum(column, Decimal(0)) / len(column)
    return mean, sum(((value - mean) ** 2 for value in column), Decimal(0)) / len(column)


def _normalised(column: Column, mean: Decimal, var: Decimal, eps: Decimal) -> Column:
    root = (var + eps).sqrt()
    return [(value - mean) / root for value in column]


def _affine(z: Column, gamma: Decimal, beta: Decimal) -> Column:
    return [gamma * value + beta for value in z]


def _rounded(values: Sequence[Decimal]) -> Float64:
    return np.array([float(value) for value in values])


def _rounded_columns(columns: Sequence[Column]) -> Float64:
    return np.array([[float(value) for value in column] for column in columns]).T
