"""ND: features on any axis of an input of any rank."""

from __future__ import annotations

from typing import Any

from conformance.adapters.domain import Options
from conformance.properties.support.checks import check_shape
from conformance.properties.support.domain_checks import (
    call,
    check_results,
    domain_of,
    start,
)
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.domain_cases import LAYOUTS, Folded, fold, folded_cases, unfold


@requirement("BN-ND-1", share=1.0, drawn=lambda _: folded_cases(LAYOUTS))
def any_layout_equals_its_rows(subject: Subject, drawn: Folded) -> None:
    """rows = moveaxis(x, axis, −1).reshape(−1, D), and everything as for these rows"""
    axis = drawn.axis if domain_of(subject).axis else -1
    options = Options(axis=axis if domain_of(subject).axis else None)
    layer = start(subject, drawn.case.config, drawn.case.state, options)
    x = fold(drawn.case.x, drawn.around, axis)
    results = call(layer, x, fold(drawn.w, drawn.around, axis))

    def as_rows(name: str, array: Any) -> Any:
        check_shape(name, array, x.shape)
        return unfold(array, axis)

    of_gamma, of_beta, of_x = results.gradients
    rows = results._replace(
        y=as_rows("y in training", results.y),
        evaluated=as_rows("y in evaluation", results.evaluated),
        gradients=(of_gamma, of_beta, as_rows("the gradient of x", of_x)),
    )
    of = f", as rows of x {x.shape} with the features on axis {axis}"
    check_results(subject, drawn.case, layer.state, rows, drawn.w, of=of)
