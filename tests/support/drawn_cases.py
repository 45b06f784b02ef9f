"""Cases as the strategies draw them, and their invariants."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import find, settings
from hypothesis import strategies as st

from conformance.engine.budget import budget
from conformance.engine.judge import PropertyRun
from conformance.numerics.state import State
from conformance.properties import PROPERTIES, Property
from conformance.requirements import REQUIREMENTS
from conformance.strategies import shape_grid
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import cases
from conformance.strategies.shape_grid import DEFAULT
from conformance.strategies.targeted import (
    cases_at_momentum,
    cases_near_eps,
    cases_with,
    constant_cases,
    extreme_cases,
    offset_cases,
    permuted_cases,
    replaced_columns,
    scale_cases,
    scaled_cases,
    shifted_cases,
    stackable_cases,
)
from support.numpy_norm import subject

_SMALLEST_NORMAL = 2.0**-126

CASES = {
    "cases": cases,
    "compiled": lambda _: cases(shape_grid.COMPILED),
    "constant_cases": constant_cases,
    "cases_near_eps": cases_near_eps,
    "offset_cases": offset_cases,
    "scale_cases": scale_cases,
    "extreme_cases": extreme_cases,
    "stackable": stackable_cases,
    "single rows": lambda entries: cases_with(entries, rows=1),
    "momentum 1": lambda entries: cases_at_momentum(entries, 1.0),
    "shifted_cases": shifted_cases,
    "scaled_cases": scaled_cases,
    "permuted_cases": permuted_cases,
    "replaced_columns": replaced_columns,
}


def case_strategy(name: str) -> st.SearchStrategy[Case]:
    """Return the strategy for the cases of a name, without the values drawn with them."""
    drawn = CASES[name](DEFAULT).to_hypothesis()
    return drawn.map(lambda value: value if isinstance(value, Case) else value.case)


def assert_plain(array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Assert float32 of a shape, finite, without negative zeros and subnormal numbers."""
    assert array.dtype == np.float32
    assert array.shape == shape
    assert np.isfinite(array).all()
    assert not np.signbit(array[array == 0]).any()
    assert not ((array != 0) & (np.abs(array) < _SMALLEST_NORMAL)).any()


def assert_valid_state(state: State, features: int) -> None:
    """Assert four plain arrays of shape (D,), with a variance that is not negative."""
    for array in state.arrays().values():
        assert_plain(array, (features,))
    assert (state.running_var >= 0).all()


def assert_valid(case: Case) -> None:
    """Assert that a case is one that any layer must be able to handle."""
    assert_plain(case.x, (case.x.shape[0], case.config.features))
    assert 0 <= case.config.momentum <= 1
    assert case.config.eps >= 1e-16
    if case.state is not None:
        assert_valid_state(case.state, case.config.features)


def find_minimal(strategy: st.SearchStrategy[Any]) -> Any:
    """Return the simplest value of a strategy."""
    return find(strategy, lambda _: True, settings=settings(database=None))


def draw_for(
    identity: str, strategies: dict[str, Any] | None = None, *, seed: int = 0, **rest: Any
) -> list[dict[str, Any]]:
    """Return the values drawn when a requirement is judged with the default budget."""
    seen: list[dict[str, Any]] = []

    def claim(_: object, **drawn: Any) -> None:
        seen.append(drawn)

    share = PROPERTIES[identity].share
    prop = Property(REQUIREMENTS[identity], claim, strategies or {"case": cases}, share, ())
    PropertyRun(prop, rest.pop("subject", subject()), budget(seed=seed, **rest))()
    return seen
