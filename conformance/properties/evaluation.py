"""EVAL: normalising with the running statistics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from conformance.numerics import bounds
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import (
    check_identical,
    check_same,
    check_shape,
    check_within,
)
from conformance.properties.support.claims import check_evaluated, check_evaluation, check_kept
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.module_facts import leaf_at, paths_of, read_leaves
from conformance.properties.support.poisoning import beside, strangers, with_row
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import Rewritten, cases, rewritten_cases


@requirement("BN-EVAL-1", case=cases)
def evaluation_uses_what_is_stored(subject: Subject, case: Case) -> None:
    """y = γ·(x−rm)/√(rv+ε) + β"""
    layer, _, x = subject.start(case)

    check_evaluation(layer, case, x)


@requirement("BN-EVAL-2", share=0.2, case=cases, trained=lambda _: integers(0, 1), poison=strangers)
def evaluation_writes_nothing(
    subject: Subject, case: Case, trained: int, poison: int
) -> Iterator[None]:
    """every array and every Python attribute is the same before and after"""
    layer, _, x = subject.start(case)
    if trained:
        layer.train(x)
    before, attributes = layer.state, layer.attributes
    leaves = _read_extra(subject, layer)
    evaluated, where = with_row(case, 0, poison)
    layer.evaluate(subject.input(evaluated))
    after, attributes_after = layer.state, layer.attributes
    leaves_after = _read_extra(subject, layer)
    yield

    check_kept(after, before, f"as before evaluation{where}")
    check_same("Python attributes", attributes_after.value, attributes.value)
    for name in subject.implementation.design.extra:
        check_identical(name, leaves_after[name], leaves[name], rule="as before evaluation")


def _read_extra(subject: Subject, layer: LayerHandle) -> dict[str, AnyArray]:
    """Return the state that is declared beyond the four arrays, by name."""
    names = subject.implementation.design.extra
    if not names:
        return {}
    leaves, path_of = read_leaves(layer), paths_of(layer)
    return {name: leaf_at(leaves, path_of[name]) for name in names}


@requirement("BN-EVAL-3", share=0.2, case=cases, row=lambda _: integers(0, 39), poison=strangers)
def rows_are_independent(subject: Subject, case: Case, row: int, poison: int) -> Iterator[None]:
    """y(x)[i] = y(x[i:i+1])[0], whatever stands in the other rows"""
    i = row % len(case.x)
    shared, where = beside(case, i, poison)
    layer, before, x = subject.start(shared)
    y = layer.evaluate(x)
    alone = case.with_x(case.x[i : i + 1])
    y_alone = layer.evaluate(subject.input(alone))
    yield

    bound = bounds.evaluate(case.config, before, alone.x, subject.conventions)
    expected = y_alone.astype(np.float64)
    check_within(f"y of row {i} beside others{where}", y[i : i + 1], expected, bound + bound)


@requirement("BN-EVAL-4", share=0.1, case=cases)
def the_first_evaluation_is_finite(subject: Subject, case: Case) -> Iterator[None]:
    """fresh layer: y = x/√(1+ε)"""
    y = subject.build(case.config).evaluate(subject.input(case))
    yield

    check_evaluated(case.config, State.fresh(case.config.features), case.x, y, subject.conventions)


@requirement("BN-EVAL-5", share=0.2, case=cases)
def evaluation_is_repeatable(subject: Subject, case: Case) -> Iterator[None]:
    """the same call twice gives the same result"""
    layer, before, x = subject.start(case)
    first, second = layer.evaluate(x), layer.evaluate(x)
    yield

    check_shape("y", first, case.x.shape)
    bound = bounds.evaluate(case.config, before, case.x, subject.conventions)
    check_within("y of the second call", second, first.astype(np.float64), bound + bound)


@requirement("BN-EVAL-6", share=0.7, drawn=rewritten_cases, event=lambda _: integers(0, 4))
def evaluation_sees_the_statistics_of_now(subject: Subject, drawn: Rewritten, event: int) -> None:
    """evaluate, change the statistics, evaluate: the second result follows the change"""
    case, other = drawn
    layer, _, x = subject.start(case)
    layer.evaluate(x)
    if event == 0:
        layer.train(x)
    elif event == 1:
        layer = layer.restore()
        layer.write(other)
    elif event in {2, 3}:
        layer.write(other)
    else:
        layer.write(other)
        layer = layer.restore()

    check_evaluation(layer, case, x)
    if event == 4:
        check_evaluated(case.config, other, case.x, layer.evaluate(x), subject.conventions)
