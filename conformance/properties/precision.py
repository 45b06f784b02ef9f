"""TYPE: inputs of 16 and of 64 bits."""

from __future__ import annotations

from typing import Any

from hypothesis import reject

from conformance.adapters.domain import Options, Precision, Results
from conformance.adapters.operations.values import Given
from conformance.adapters.protocols import ARRAYS, STATISTICS
from conformance.numerics import bounds, decimal_oracle, oracle
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import check_dtype, check_shape, check_within
from conformance.properties.support.differentiation import expected_gradients
from conformance.properties.support.domain_checks import (
    DomainLayer,
    call,
    check_statistics,
    domain_of,
    start,
)
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case
from conformance.strategies.precision_cases import (
    DOUBLE,
    PRECISE,
    Double,
    Half,
    PulledHalf,
    double_cases,
    half_cases,
    pulled_half_cases,
)


def of_half(
    drawn: Half | PulledHalf, subject: Subject, offered: tuple[Precision, ...], w: Any = None
) -> tuple[Precision, DomainLayer, Results]:
    """Call a layer on an input of 16 bits; reject a dtype that is not declared."""
    taken = [p for p in offered if p.x == drawn.dtype]
    if not taken:
        reject()
    chosen = taken[drawn.output % len(taken)]
    options = Options(dtype=chosen.dtype)
    layer = start(subject, drawn.case.config, drawn.case.state, options)
    return chosen, layer, call(layer, Given(drawn.case.x, f"jnp.asarray{{}}, jnp.{drawn.dtype}"), w)


def check_output(
    what: str, y: AnyArray, expected: Any, bound: Any, z: Any, state: State, dtype: str
) -> None:
    """Check an output of a declared dtype wherever no step towards it can overflow."""
    check_shape(what, y, expected.shape)
    limit = bounds.rounded_output(bound, z, expected, state, dtype)
    where = bounds.representable(z, expected, bound, state)
    check_within(what, y, expected, limit.only(where))


@requirement("BN-TYPE-1", share=0.6, drawn=lambda _: half_cases(PRECISE))
def half_precision_keeps_float32_statistics(subject: Subject, drawn: Half) -> None:
    """|error of y| ≤ that of float32 + u₁₆·(3|γz| + |β| + |y|); rm', rv' as for float32"""
    chosen, layer, results = of_half(drawn, subject, domain_of(subject).low_precisions)
    case, before = drawn.case, layer.state
    of = f" from {chosen.x} in {chosen.y}"

    check_statistics(subject, case, before, results.after, of=f" from {chosen.x}")
    expected = oracle.train(case.config, before, case.x, subject.conventions)
    limit = bounds.train(case.config, before, case.x, subject.conventions).y
    y, what = results.y, f"y in training{of}"
    check_output(what, y, expected.y, limit, expected.z, before, chosen.y)
    wanted = oracle.evaluate(case.config, before, case.x)
    z = oracle.evaluate(case.config, _plain(before), case.x)
    bound = bounds.evaluate(case.config, before, case.x, subject.conventions)
    y, what = results.evaluated, f"y in evaluation{of}"
    check_output(what, y, wanted, bound, z, before, chosen.y)


def _plain(state: State) -> State:
    """Return the state with gamma = 1 and beta = 0, whose y is z."""
    fresh = State.fresh(len(state.gamma))
    return state.replace(gamma=fresh.gamma, beta=fresh.beta)


def check_dtypes(chosen: Precision, before: dict[str, Any], results: Results, of: str) -> None:
    """Check the dtypes of the output, and of the arrays before and after a training call."""
    for name in ARRAYS:
        check_dtype(f"{name} of a new layer", before[name], chosen.state)
        check_dtype(f"{name} after {of}", results.after[name], chosen.state)
    check_dtype(f"y in training on {of}", results.y, chosen.y)
    check_dtype(f"y in evaluation on {of}", results.evaluated, chosen.y)


@requirement("BN-TYPE-2", share=0.2, drawn=lambda _: half_cases(PRECISE))
def dtypes_are_the_declared_ones(subject: Subject, drawn: Half) -> None:
    """the dtype of y is the declared one, those of the four arrays do not change"""
    chosen, layer, results = of_half(drawn, subject, domain_of(subject).low_precisions)

    asked = "" if chosen.dtype is None else f" with dtype={chosen.dtype!r}"
    check_dtypes(chosen, layer.arrays, results, f"{chosen.x}{asked}")


@requirement("BN-TYPE-4", share=0.4, drawn=lambda _: pulled_half_cases(PRECISE))
def half_precision_keeps_float32_gradients(subject: Subject, drawn: PulledHalf) -> None:
    """dγ, dβ as for float32; |error of dx| ≤ that of float32 + 7·u₁₆ of its parts"""
    offered = domain_of(subject).narrowed_precisions
    chosen, layer, results = of_half(drawn, subject, offered, drawn.w)
    case, before = drawn.case, layer.state
    expected, limits = expected_gradients(subject, before, case, drawn.w, evaluate=False)
    of = f" in training from {chosen.x}"

    check_shape(f"y{of}", results.y, case.x.shape)
    of_gamma, of_beta, of_x = results.gradients
    check_within(f"the gradient of beta{of}", of_beta, expected.beta, limits.beta)
    check_within(f"the gradient of gamma{of}", of_gamma, expected.gamma, limits.gamma)
    check_dtype(f"the gradient of x{of}", of_x, chosen.x)
    limit, where = bounds.narrowed_gradient(
        case.config, before, case.x, drawn.w, limits.x, chosen.x, subject.conventions
    )
    check_within(f"the gradient of x{of}", of_x, expected.x, limit.only(where))


@requirement("BN-TYPE-3", share=0.4, drawn=lambda _: double_cases(DOUBLE))
def float64_keeps_its_digits(subject: Subject, drawn: Double) -> None:
    """as BN-TRAIN-1, BN-EMA-1, BN-EMA-2 and BN-EVAL-1, with u = 2⁻⁵³"""
    chosen = next(p for p in domain_of(subject).precisions if p.x == "float64")
    case, options = drawn.case, Options(dtype=chosen.dtype)
    layer = start(subject, case.config, case.state, options, x64=True)
    before = layer.state
    results = call(layer, drawn.x)

    check_dtypes(chosen, before.arrays(), results, "float64")
    check_double(subject, case, before, drawn.x, results, chosen.state)


def check_double(
    subject: Subject, case: Case, before: State, x: AnyArray, results: Results, stored: str
) -> None:
    """Check both outputs and the running statistics against the decimal oracle."""
    expected = decimal_oracle.train(case.config, before, x, subject.conventions)
    limit = bounds.train_in_float64(case.config, before, x, stored, subject.conventions)
    check_within("y in training on float64", results.y, expected.y, limit.y)
    for name in STATISTICS:
        wanted, bound = getattr(expected, name), getattr(limit, name)
        check_within(f"{name} from float64", results.after[name], wanted, bound)
    wanted = decimal_oracle.evaluate(case.config, before, x)
    bound = bounds.evaluate_in_float64(case.config, before, x, subject.conventions)
    check_within("y in evaluation on float64", results.evaluated, wanted, bound)
