"""MASK: masked rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters.domain import Options, Results
from conformance.adapters.protocols import ARRAYS, PARAMETERS
from conformance.numerics.state import State
from conformance.properties.support.checks import check_finite, check_shape, check_true
from conformance.properties.support.claims import check_kept
from conformance.properties.support.domain_checks import (
    DomainLayer,
    call,
    check_results,
    check_statistics,
    domain_of,
    start,
)
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case
from conformance.strategies.domain_cases import MASKED, Masked, masked_cases, select_rows


def shape_of(subject: Subject, drawn: Masked) -> tuple[int, ...]:
    """Return the shape of x: that of rows, or one of more axes if the layer declares to take it."""
    around = (domain_of(subject).ndim and drawn.around) or (len(drawn.kept),)
    return (*around, drawn.case.config.features)


def shape_mask(subject: Subject, drawn: Masked, kept: Any, layer: DomainLayer) -> Any:
    """Return the mask in a shape that the layer declares to take; see ``Wider``.

    Args:
        subject: The implementation.
        drawn: The case.
        kept: Which rows count, (N,), as alike as the case says.
        layer: The layer, which may refuse a mask (n,) of examples if it takes one of rows.
    """
    shape = shape_of(subject, drawn)
    around, more = kept.reshape(shape[:-1]), len(shape) - 2
    alike = drawn.alike if len(drawn.around) == len(shape) - 1 else ""
    if domain_of(subject).mask_by_row:
        of_examples = np.ascontiguousarray(around[(slice(None), *(0,) * more)])
        tried = alike == "positions" and more
        return of_examples if tried and not _refuses(subject, drawn, of_examples, layer) else around
    if alike == "examples":
        return np.ascontiguousarray(around[0, ..., None])
    if alike == "positions":
        around = around[(slice(None), *(slice(1),) * more)]
    own = shape if drawn.by_element else (*around.shape, 1)
    return np.ascontiguousarray(np.broadcast_to(around[..., None], own))


def _refuses(subject: Subject, drawn: Masked, mask: Any, layer: DomainLayer) -> bool:
    arguments = layer.ref, shape_rows(subject, drawn, drawn.case.x), mask
    return bool(layer.session.ask("refuses_mask", *arguments, label="a call with a mask"))


def shape_rows(subject: Subject, drawn: Masked, rows: Any) -> Any:
    """Return rows (N, D) in the shape of x."""
    return rows.reshape(shape_of(subject, drawn))


def call_masked(subject: Subject, drawn: Masked) -> tuple[State, Results, Case]:
    """Call a layer on a masked batch; return its state before, and what belongs to rows kept."""
    layer = start(subject, drawn.case.config, drawn.case.state, Options())
    x, w = (shape_rows(subject, drawn, rows) for rows in (drawn.case.x, drawn.w))
    results = call(layer, x, w, shape_mask(subject, drawn, drawn.kept, layer))

    def alone(name: str, array: Any) -> Any:
        check_shape(name, array, x.shape)
        return array.reshape(drawn.case.x.shape)[drawn.kept]

    of_gamma, of_beta, of_x = results.gradients
    kept = results._replace(
        y=alone("y", results.y),
        gradients=(of_gamma, of_beta, alone("the gradient of x", of_x)),
        evaluated=alone("y in evaluation", results.evaluated),
    )
    return layer.state, kept, select_rows(drawn.case, drawn.kept)


@requirement("BN-MASK-1", share=0.6, drawn=lambda _: masked_cases(MASKED))
def masked_rows_count_for_nothing(subject: Subject, drawn: Masked) -> None:
    """μ = Σ_K x/|K|; v = Σ_K (x−μ)²/|K|; y_K, rm', rv', dx_K, dγ and dβ from them"""
    before, results, alone = call_masked(subject, drawn)

    check_results(subject, alone, before, results, drawn.w[drawn.kept], of=", rows kept")


@requirement("BN-MASK-2", share=0.6, drawn=lambda _: masked_cases(MASKED, special=True))
def masked_rows_reach_nothing(subject: Subject, drawn: Masked) -> None:
    """x outside K is NaN, ±∞ or 1e30, w = 0 there: the same as without these rows"""
    before, results, alone = call_masked(subject, drawn)

    check_results(subject, alone, before, results, drawn.w[drawn.kept], of=", rows kept")


@requirement("BN-MASK-3", share=0.3, drawn=lambda _: masked_cases(MASKED))
def a_batch_without_rows_is_survived(subject: Subject, drawn: Masked) -> None:
    """K = ∅: all arrays are finite, and the next batch is normalised and counted from there"""
    case = drawn.case
    layer = start(subject, case.config, case.state, Options())
    nothing = shape_mask(subject, drawn, np.zeros_like(drawn.kept), layer)
    x, w = (shape_rows(subject, drawn, rows) for rows in (case.x, drawn.w))
    results = call(layer, x, w, nothing)
    for name in ARRAYS:
        check_finite(f"{name} after a batch without rows", results.after[name])
    least = results.after["running_var"].min()
    name = "running_var after a batch without rows"
    check_true(name, least >= 0, got=float(least), expected="no negative number")
    check_kept(State(**results.after), layer.state, "as before the call", names=PARAMETERS)

    following = start(subject, case.config, State(**results.after), Options())
    results = call(following, x, w, shape_mask(subject, drawn, drawn.kept, following))
    alone = select_rows(case, drawn.kept)
    check_statistics(subject, alone, following.state, results.after, of=" after the next")
