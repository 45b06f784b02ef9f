"""NUM: accuracy, scales, and nothing done to the numbers on the way."""

from __future__ import annotations

from conformance.case import Case
from conformance.checks import check_nan
from conformance.properties.claims import check_evaluation, check_training
from conformance.properties.poisoning import with_nan
from conformance.properties.registry import requirement
from conformance.strategies.designed import extreme_cases, offset_cases, scale_cases
from conformance.strategies.source import choices
from conformance.subject import Subject


@requirement("BN-NUM-1", share=0.5, case=offset_cases)
def offsets_cost_no_more_than_two_passes_lose(subject: Subject, case: Case) -> None:
    """|error| ≤ the two-pass bound for |μ|/σ ≤ 1e4"""
    layer, before, x = subject.start(case)

    check_training(subject, layer, before, case, x)
    check_evaluation(layer, case, x)


@requirement("BN-NUM-2", share=0.6, case=scale_cases)
def scales_side_by_side_do_not_meet(subject: Subject, case: Case) -> None:
    """σ from 1e-6 to 1e6 in the features of one batch"""
    layer, before, x = subject.start(case)

    check_training(subject, layer, before, case, x)
    check_evaluation(layer, case, x)


@requirement("BN-NUM-3", case=extreme_cases, column=lambda _: choices(0, 39))
def nothing_is_clipped_rounded_or_replaced(subject: Subject, case: Case, column: int) -> None:
    """outliers, zeros, integers and large values are normalised; NaN in, NaN out"""
    layer, before, x = subject.start(case)
    check_training(subject, layer, before, case, x)
    check_evaluation(layer, case, x)

    poisoned, column = with_nan(case, column)
    layer, _, x = subject.start(poisoned)
    where = f"where x[0, {column}] is NaN"
    check_nan(f"y in evaluation {where}", layer.evaluate(x)[:1, [column]])
    check_nan(f"y in training {where}", layer.train(x)[:, [column]])
