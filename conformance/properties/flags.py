"""FLAG and FWD: how the mode is chosen, and the forward function."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from conformance.adapters.operations.forms import CONTAINERS
from conformance.adapters.operations.values import Given
from conformance.adapters.protocols import Config
from conformance.numerics import bounds, oracle
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import check_identical, check_shape, check_within
from conformance.properties.support.claims import check_evaluation, check_training
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.flags import BETWEEN, ENCODINGS
from conformance.strategies.lookalikes import (
    Lookalikes,
    Reordered,
    lookalike_cases,
    reordered_cases,
)
from conformance.strategies.mined import mined_sizes_of_functions, mined_values
from conformance.strategies.palette_cases import cases
from conformance.strategies.shape_grid import (
    FORWARD_SWEEP,
    FORWARD_SWEEP_QUICK,
    FORWARD_SWEEP_THOROUGH,
)
from conformance.strategies.targeted import plain_or_mined

MOMENTUM, EPS = 0.9, 1e-5
"""The configuration that the forward function is defined with."""


def check_forward(subject: Subject, x: AnyArray, result: AnyArray, *, evaluates: bool) -> None:
    """Check a flat result against a fresh layer in one of the two modes, when it is there."""
    check = partial(_check_forward, subject, x, result, evaluates=evaluates)
    subject.session.later(check)


def _check_forward(subject: Subject, x: AnyArray, result: AnyArray, *, evaluates: bool) -> None:
    config = Config(features=x.shape[1], momentum=MOMENTUM, eps=EPS)
    fresh = State.fresh(x.shape[1])
    if evaluates:
        expected = oracle.evaluate(config, fresh, x, conventions=subject.conventions)
        bound = bounds.evaluate(config, fresh, x, subject.conventions)
    else:
        expected = oracle.train(config, fresh, x, subject.conventions).y
        bound = bounds.train(config, fresh, x, subject.conventions).y
    if result.shape != x.shape:  # that the result is flat is a requirement of its own
        check_shape("the result", result, (x.size,))
    mode = "evaluation" if evaluates else "training"
    check_within(f"the result of {mode}", result.reshape(x.shape), expected, bound)


@requirement(
    "BN-FLAG-1",
    share=0.3,
    case=cases,
    bit=lambda _: integers(0, 1),
    encoding=lambda _: integers(0, len(ENCODINGS) - 1),
)
def every_encoding_selects_its_mode(subject: Subject, case: Case, bit: int, encoding: int) -> None:
    """flag >= 0.5 evaluates, in every type that holds 0 or 1"""
    result = subject.forward(0.0, subject.input(case), Given(bit, ENCODINGS[encoding]))

    check_forward(subject, case.x, result, evaluates=bool(bit))


@requirement("BN-FLAG-2", case=cases, which=lambda _: integers(0, len(BETWEEN) - 1))
def the_threshold_is_one_half(subject: Subject, case: Case, which: int) -> None:
    """.3 trains, .5 and .9 evaluate, −1 trains"""
    flag = BETWEEN[which]
    result = subject.forward(0.0, subject.input(case), flag)

    check_forward(subject, case.x, result, evaluates=subject.conventions.evaluates(flag))


@requirement("BN-FLAG-3", share=0.2, case=cases)
def the_layer_takes_true_and_false(subject: Subject, case: Case) -> None:
    """True evaluates, False trains"""
    layer, before, x = subject.start(case)

    check_evaluation(layer, case, x, flag=True)
    check_training(subject, layer, before, case, x, flag=False)


@requirement("BN-FLAG-4", share=0.2, case=cases, form=lambda _: integers(0, 2))
def the_layer_takes_zero_and_one(subject: Subject, case: Case, form: int) -> None:
    """np.bool_, 0 and 1, 0.0 and 1.0 work as False and True"""
    name = ("np.bool_", "int", "float")[form]
    layer, before, x = subject.start(case)

    check_evaluation(layer, case, x, flag=Given(1, name))
    check_training(subject, layer, before, case, x, flag=Given(0, name))


@requirement("BN-FLAG-5", share=0.2, case=cases)
def the_mode_of_the_module_does_not_count(subject: Subject, case: Case) -> None:
    """eval(), then train as told; train(), then evaluate as told"""
    layer, before, x = subject.start(case)
    layer.do("set_mode", True, label="module.eval()")
    check_training(subject, layer, before, case, x)
    layer.do("set_mode", False, label="module.train()")
    check_evaluation(layer, case, x)


@requirement(
    "BN-FWD-1",
    share=0.6,
    case=cases,
    flag=lambda _: integers(0, 1),
    container=lambda _: integers(0, len(CONTAINERS) - 1),
)
def the_result_is_flat_in_row_major_order(
    subject: Subject, case: Case, flag: int, container: int
) -> None:
    """out[i·D + j] = y[i, j], whatever the order of x in memory"""
    result = subject.forward(0.0, Given(case.x, CONTAINERS[container]), float(flag))
    subject.session.later(partial(check_shape, "the result", result, (case.x.size,)))

    check_forward(subject, case.x, result, evaluates=bool(flag))


@requirement("BN-FWD-2", mined=mined_values, case=plain_or_mined)
def a_training_flag_trains_a_fresh_layer(subject: Subject, case: Case) -> None:
    """y = (x−μ)/√(v+1e-5)"""
    result = subject.forward(0.0, subject.input(case), 0.0)

    check_forward(subject, case.x, result, evaluates=False)


@requirement("BN-FWD-3", share=0.2, case=cases)
def an_evaluation_flag_evaluates_a_fresh_layer(subject: Subject, case: Case) -> None:
    """y = x/√(1+1e-5)"""
    result = subject.forward(0.0, subject.input(case), 1.0)

    check_forward(subject, case.x, result, evaluates=True)


@requirement("BN-FWD-4", share=0.2, case=cases, seed=lambda _: integers(0, 9999))
def the_seed_changes_nothing(subject: Subject, case: Case, seed: int) -> None:
    """f(seed, x, flag) is right for seeds such as 3.0 and 3.7"""
    result = subject.forward(_as_seed(seed), subject.input(case), float(seed % 2))

    check_forward(subject, case.x, result, evaluates=bool(seed % 2))


def _as_seed(seed: int) -> float | Given:
    return (float(seed), seed + 0.7, Given(seed, "np.float32"))[seed % 3]


@requirement("BN-FWD-5", share=0.3, case=cases, flag=lambda _: integers(0, 1))
def the_function_has_no_memory(subject: Subject, case: Case, flag: int) -> Iterator[None]:
    """the same arguments give the right result, whatever was called before; x is untouched"""
    x = subject.input(case)
    first = subject.forward(1.0, x, float(flag))
    subject.forward(1.0, subject.input(case.with_x(3 * case.x + 1)), 0.0)
    again = subject.forward(1.0, x, float(flag))
    x_after = subject.reread("x", x)
    yield

    check_identical("x", x_after, case.x, rule="untouched")
    for result in (first, again):
        check_forward(subject, case.x, result, evaluates=bool(flag))


@requirement(
    "BN-FWD-6",
    share=0.01,
    palettes=tuple((entry,) for entry in FORWARD_SWEEP),
    by_profile={
        "quick": tuple((entry,) for entry in FORWARD_SWEEP_QUICK),
        "thorough": tuple((entry,) for entry in FORWARD_SWEEP_THOROUGH),
    },
    mined=mined_sizes_of_functions,
    case=cases,
)
def the_function_is_right_at_every_size(subject: Subject, case: Case) -> None:
    """training and evaluation at each size of the sweep"""
    x = subject.input(case)
    trained, evaluated = subject.forward(0.0, x, 0.0), subject.forward(0.0, x, 1.0)

    check_forward(subject, case.x, trained, evaluates=False)
    check_forward(subject, case.x, evaluated, evaluates=True)


@requirement("BN-FWD-7", share=0.25, drawn=reordered_cases, evaluate=lambda _: integers(0, 1))
def rows_in_another_order_are_the_same_rows(
    subject: Subject, drawn: Reordered, evaluate: int
) -> None:
    """f(x), then f(P·x) = P·f(x)"""
    case = drawn.case
    other = case.with_x(case.x[drawn.row_order])
    for each in (case, other):
        result = subject.forward(0.0, subject.input(each), float(evaluate))
        check_forward(subject, each.x, result, evaluates=bool(evaluate))


@requirement("BN-FWD-8", share=0.4, drawn=lookalike_cases)
def batches_that_resemble_each_other_are_told_apart(
    subject: Subject, drawn: Lookalikes
) -> Iterator[None]:
    """a batch, and batches that are almost the one before: each has its own result"""
    x = subject.put(Given(drawn.case.x, "np.copy"))
    first = subject.forward(0.0, x, 0.0)
    check_forward(subject, drawn.case.x, first, evaluates=False)
    for call in drawn.following:
        if call.refills:
            subject.session.do("overwrite", x, call.x, label="filling x anew")
        else:
            x = subject.put(Given(call.x, "np.copy"))
        result = subject.forward(0.0, x, float(call.evaluate))
        check_forward(subject, call.x, result, evaluates=call.evaluate)
    yield


@requirement(
    "BN-FWD-9",
    share=0.12,
    case=cases,
    flag=lambda _: integers(0, 1),
)
def containers_do_not_matter_to_the_function(subject: Subject, case: Case, flag: int) -> None:
    """NumPy or JAX, C or Fortran order, strided, reversed or read-only: one after the other"""
    for container in CONTAINERS:
        result = subject.forward(0.0, Given(case.x, container), float(flag))
        check_forward(subject, case.x, result, evaluates=bool(flag))


@requirement(
    "BN-FWD-10",
    share=0.12,
    case=cases,
    seed=lambda _: integers(0, 9999),
    flag=lambda _: integers(0, 1),
)
def the_result_is_the_same_to_the_last_bit(
    subject: Subject, case: Case, seed: int, flag: int
) -> Iterator[None]:
    """f(seed, x, flag) = f(0, x, flag), and again after another call, bit for bit"""
    x = subject.input(case)
    expected = subject.forward(0.0, x, float(flag))
    result = subject.forward(_as_seed(seed), x, float(flag))
    subject.forward(1.0, subject.input(case.with_x(3 * case.x + 1)), 0.0)
    again = subject.forward(0.0, x, float(flag))
    yield

    check_identical("the result", result, expected, rule="as with seed 0")
    check_identical("the repeated result", again, expected, rule="as in the first call")
