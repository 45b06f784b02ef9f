"""Statistics of many rows, which are right if they are right in one of two kinds of column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.bounds.exact_sums import FLAT, LATE, OFFSET
from conformance.numerics.conventions import Conventions
from conformance.numerics.sources import formula
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import check_within
from conformance.strategies.case import Case


def check_either(
    conventions: Conventions,
    case: Case,
    before: State,
    after: State,
    expected: oracle.Training,
    kinds: npt.NDArray[np.int64],
) -> None:
    """Check that each running statistic is right in one of two kinds of column, if both exist.

    Args:
        conventions: The conventions that the layer declares.
        case: The batch, (N, D), and the configuration.
        before: The state before the call.
        after: The state after it.
        expected: The results of the oracle.
        kinds: The kinds of the columns, (D,).
    """
    if not conventions.moves_statistics():
        return
    e_mean, e_var = bounds.sharp_statistics(case.x, kinds)
    share = conventions.share_stored(len(case.x))
    pairs = {
        "running_mean": (expected.mean, e_mean, (LATE, OFFSET)),
        "running_var": (expected.var * share, e_var.scaled(share), (FLAT, LATE)),
    }
    for name, (new, limit, either) in pairs.items():
        if not {*either} <= {*kinds.tolist()}:
            continue
        flat_is_sharp = bounds.is_beside_a_power_of_two(len(case.x))
        if name == "running_var" and (conventions.admits_one_pass() or flat_is_sharp):
            continue
        old, wanted = before.arrays()[name], getattr(expected, name)
        exact, momentum = np.zeros_like(new), case.config.momentum
        error = bounds.ema_error(momentum, exact, limit.strict, old, new, before.count, conventions)
        bound, got = Bound.of(error), after.arrays()[name]
        chosen = nearest_column(got, wanted, bound.allowed, np.flatnonzero(np.isin(kinds, either)))
        check_within(f"{name} where it is better", got[[chosen]], wanted[[chosen]], bound[[chosen]])


@formula
def nearest_column(got: AnyArray, expected: AnyArray, bound: AnyArray, among: AnyArray) -> int:
    """Return the column, of some, in which error ÷ bound is smallest."""
    ratio = np.abs(got.astype(np.float64) - expected) / bound
    return int(among[np.argmin(ratio[among])])
