"""SYNC: one batch, spread over the lanes of a transform or over devices."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters.domain import Lanes, Options, Results
from conformance.adapters.protocols import ARRAYS
from conformance.numerics import bounds
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import check_shape
from conformance.properties.support.domain_checks import (
    call,
    check_results,
    check_statistics,
    domain_of,
    start,
)
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.domain_cases import (
    CUTS,
    Spread,
    select_rows,
    spread_cases,
    uneven_cases,
)

_AXIS = "shards"


def lanes_of(drawn: Spread) -> Lanes:
    """Return how to spread the batch."""
    return Lanes(_AXIS, drawn.shards, drawn.on_devices)


def spread(drawn: Spread, rows: AnyArray) -> AnyArray:
    """Return (N, …) as (S, N/S, …)."""
    return rows.reshape(drawn.shards, -1, *rows.shape[1:])


def mask_of(subject: Subject, drawn: Spread) -> AnyArray:
    """Return the mask by shard in a shape that the layer declares to take."""
    kept = spread(drawn, drawn.kept)
    return kept if domain_of(subject).mask_by_row else kept[..., None]


def check_spread(subject: Subject, drawn: Spread, mask: Any) -> None:
    """Check that rows, gradients and every shard's state are those of the rows that count."""
    case, kept = drawn.case, drawn.kept
    layer = start(subject, case.config, case.state, Options(axis_name=_AXIS))
    before, alone = layer.state, select_rows(case, kept)
    lanes = lanes_of(drawn)
    results = call(layer, spread(drawn, case.x), spread(drawn, drawn.w), mask, lanes)
    of = f" of {drawn.shards} {'devices' if drawn.on_devices else 'lanes'}"
    errors = bounds.merged_statistics(alone.x.astype(np.float64), drawn.shards, subject.conventions)

    for name in ARRAYS:
        check_shape(f"{name}{of}", results.after[name], (drawn.shards, case.config.features))
    for shard in range(1, drawn.shards):
        after = {name: results.after[name][shard] for name in ARRAYS}
        check_statistics(subject, alone, before, after, of=f" on shard {shard}{of}", errors=errors)
    rows = _as_rows(drawn, results, before, of)
    check_results(subject, alone, before, rows, drawn.w[kept], of=of, errors=errors)


def _as_rows(drawn: Spread, results: Results, before: State, of: str) -> Results:
    """Return the rows that count, and the state of the first shard."""
    features = len(before.gamma)
    of_gamma, of_beta, of_x = results.gradients
    for name, array in ((f"y in training{of}", results.y), (f"the gradient of x{of}", of_x)):
        check_shape(name, array, (drawn.shards, len(drawn.kept) // drawn.shards, features))
    return Results(
        y=results.y.reshape(-1, features)[drawn.kept],
        after={name: results.after[name][0] for name in ARRAYS},
        gradients=(of_gamma, of_beta, of_x.reshape(-1, features)[drawn.kept]),
        evaluated=results.evaluated[drawn.kept],
    )


@requirement("BN-SYNC-1", share=0.5, drawn=lambda _: spread_cases(CUTS))
def shards_are_one_batch(subject: Subject, drawn: Spread) -> None:
    """μ, v, y, rm', rv', dγ, dβ and dx as for the rows of all shards in one batch"""
    check_spread(subject, drawn, None)


@requirement("BN-SYNC-2", share=0.4, drawn=lambda _: uneven_cases(CUTS[1:]))
def shards_weigh_what_they_count(subject: Subject, drawn: Spread) -> None:
    """μ = Σ_s Σ_K x/Σ_s |K_s|; v = Σ_s Σ_K (x−μ)²/Σ_s |K_s|; y, rm', rv' and gradients from them"""
    check_spread(subject, drawn, mask_of(subject, drawn))


@requirement("BN-SYNC-3", share=0.2, drawn=lambda _: uneven_cases((CUTS[0], CUTS[2]), empty=True))
def an_empty_shard_is_no_shard(subject: Subject, drawn: Spread) -> None:
    """as BN-SYNC-2, with |K_s| = 0 for a shard s"""
    check_spread(subject, drawn, mask_of(subject, drawn))
