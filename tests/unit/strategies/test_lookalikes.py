"""Batches that a poor key takes for one another occur among the cases of the default budget."""

from __future__ import annotations

import numpy as np
from support.drawn_cases import draw_for

from conformance.strategies.lookalikes import lookalike_cases, reordered_cases


def test_reordered_batches_have_equal_sums_in_float32() -> None:
    differing, all_drawn = 0, [*draw_for("BN-FWD-7", {"drawn": reordered_cases})]
    for drawn in all_drawn:
        case, order = drawn["drawn"]
        x = case.x
        assert sorted(order) == list(range(len(x)))
        for values in (x, np.square(x)):
            assert np.array_equal(values.sum(axis=0), values[order].sum(axis=0))
        differing += not np.array_equal(x, x[order])
    assert differing > len(all_drawn) / 2


def test_lookalikes_share_what_poor_keys_are_made_of() -> None:
    shared = dict.fromkeys(("first and last row", "sums", "sizes", "all"), 0)
    refilled = 0
    for drawn in draw_for("BN-FWD-8", {"drawn": lookalike_cases}):
        case, following = drawn["drawn"]
        before = case.x
        for call in following:
            changed = not np.array_equal(before, call.x)
            ends = np.array_equal(before[[0, -1]], call.x[[0, -1]])
            shared["first and last row"] += changed and ends
            shared["sums"] += changed and np.array_equal(before.sum(axis=0), call.x.sum(axis=0))
            shared["sizes"] += changed and np.array_equal(abs(before), abs(call.x))
            shared["all"] += not changed
            refilled += changed and call.refills
            before = call.x
    assert min(*shared.values(), refilled) >= 5, (shared, refilled)
