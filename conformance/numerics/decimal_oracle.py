"""The oracle for float64: the same formulas in decimal arithmetic of 60 digits.

float64 NumPy rounds as the implementation does, so it cannot judge it; NumPy's long double has the
precision of float64 on some platforms. Every float64 is a finite decimal, and 60 digits leave an
error of 1e-40 on batches as small as those that are judged. Results are rounded once.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.oracle import Float64, Training
from conformance.numerics.sources import formula
from conformance.numerics.state import State

_DIGITS = Context(prec=60, Emin=-5000, Emax=5000)


@formula
def decimals(array: Any) -> Any:
    """The same numbers in decimal arithmetic."""
    return np.vectorize(Decimal, otypes=[object])(np.asarray(array, np.float64))


def train(
    config: Config, state: State, x: npt.ArrayLike, conventions: Conventions = STRICT
) -> Training:
    """Return the results of a training call on x, (N, D), starting from ``state``.

    Args:
        config: Momentum and ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        conventions: The conventions that the layer declares.

    Returns:
        The results, rounded once to float64.
    """
    with localcontext(_DIGITS):
        return oracle.train(config, state, x, conventions, decimals)


def evaluate(config: Config, state: State, x: npt.ArrayLike) -> Float64:
    """Return y = γ·(x−rm)/√(rv+ε) + β of an evaluation call on x, (N, D).

    Args:
        config: ε of the layer.
        state: γ, β, rm and rv, each (D,).
        x: The batch, (N, D).

    Returns:
        y, (N, D), rounded once to float64.
    """
    with localcontext(_DIGITS):
        return oracle.evaluate(config, state, x, decimals)
