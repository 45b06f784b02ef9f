"""IND, NUM, SHAPE, ERR: determinism, numerical range, shapes, invalid input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from conformance.adapters.operations.forms import CONTAINERS
from conformance.adapters.operations.values import Given, Ref
from conformance.adapters.protocols import STATISTICS
from conformance.numerics import bounds, oracle
from conformance.numerics.state import Float32, State
from conformance.properties.support.checks import (
    check_dtype,
    check_identical,
    check_nan,
    check_shape,
    check_true,
    check_within,
)
from conformance.properties.support.claims import (
    check_evaluated,
    check_evaluated_at_once,
    check_evaluation,
    check_kept,
    check_trained,
    check_training,
)
from conformance.properties.support.declared_cases import refuses
from conformance.properties.support.layer_handle import READ, LayerHandle
from conformance.properties.support.poisoning import not_finite, with_element
from conformance.properties.support.program_size import fits, leave_out
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.mined import mined_sizes, mined_values
from conformance.strategies.palette_cases import (
    NEVER_FRESH,
    Stream,
    cases,
    entry_of,
    mixed_streams,
    streams,
)
from conformance.strategies.shape_grid import EAGER, SWEEP, SWEEP_QUICK, Entry, runs_eagerly
from conformance.strategies.targeted import extreme_or_mined, offset_cases, scale_cases


@requirement("BN-IND-1", share=0.2, case=cases)
def the_same_call_gives_the_same_result(subject: Subject, case: Case) -> None:
    """two layers in the same state: identical y and identical new state"""
    one, before, x = subject.start(case)
    two = subject.build(case.config, before)
    y_one, y_two = one.train(x), two.train(x)
    after_two, after_one = two.state, one.state
    of_one, of_two = one.evaluate(x), two.evaluate(x)

    check_identical("y in training", y_two, y_one, rule="as from the first layer")
    check_kept(after_two, after_one, "as in the first layer")
    check_identical("y in evaluation", of_two, of_one, rule="as from the first layer")


ANOTHER_MOMENTUM, ANOTHER_EPS = 0.35, 0.02
"""The hyper-parameters of other instances: what is kept on the class is theirs then."""


@requirement("BN-IND-2", share=0.5, drawn=mixed_streams, evaluate=lambda _: integers(0, 1))
def nothing_but_state_and_input_matters(subject: Subject, drawn: Stream, evaluate: int) -> None:
    """after calls of other sizes, other instances and random states the result is the same"""
    case = drawn.case
    layer, before, x = subject.start(case)
    for index, batch in enumerate(drawn.following):
        other = replace(case.with_x(batch), as_jax=index % 2 == 0)
        layer.call(subject.input(other), bool(evaluate))
    layer.write(before)
    for batch in drawn.following:
        subject.build(case.config).train(subject.input(case.with_x(batch)))
    config = replace(case.config, momentum=ANOTHER_MOMENTUM, eps=ANOTHER_EPS)
    config = subject.implementation.design.configured(config)
    different = subject.build(config, before)
    different.call(subject.input(case.with_x(drawn.following[0])), bool(evaluate))
    subject.build(replace(config, features=config.features + 1))
    seeding = "seeding NumPy's and Python's random numbers"
    subject.session.do("seed_global_random", len(drawn.following), label=seeding)

    check_evaluation(layer, case, x)
    check_training(subject, layer, before, case, x)


@requirement("BN-IND-3", share=0.2, drawn=streams, evaluate=lambda _: integers(0, 1))
def inputs_and_earlier_results_stay_as_they_are(
    subject: Subject, drawn: Stream, evaluate: int
) -> Iterator[None]:
    """x, an earlier y and an earlier snapshot are unchanged by the calls that follow"""
    case = drawn.case
    layer, _, x = subject.start(case)
    snapshot = layer.keep("snapshot", label=READ)
    kept = _read_again(layer, snapshot)
    y = layer.keep("call_live", x, bool(evaluate), label="the call")
    y_then = subject.reread("y", y)
    for batch in drawn.following:
        layer.train(subject.input(case.with_x(batch)))
    x_now, y_now = subject.reread("x", x), subject.reread("the first y", y)
    now = _read_again(layer, snapshot)
    yield

    check_identical("x", x_now, case.x, rule="untouched")
    check_identical("the first y", y_now, y_then, rule="as it was returned")
    for name, array in now.arrays().items():
        what, rule = f"the snapshot of {name}", "as in the snapshot"
        check_identical(what, array, kept.arrays()[name], rule=rule)


def _read_again(layer: LayerHandle, snapshot: Ref) -> State:
    """Return copies of the arrays of a snapshot."""
    return layer.read_state("reread_snapshot", snapshot)


@requirement("BN-NUM-1", share=0.2, case=offset_cases)
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


@requirement("BN-NUM-3", mined=mined_values, case=extreme_or_mined)
def nothing_is_clipped_or_rounded(subject: Subject, case: Case) -> None:
    """outliers, zeros, integers and large values are normalised"""
    layer, before, x = subject.start(case)
    check_training(subject, layer, before, case, x)
    check_evaluation(layer, case, x)


@requirement("BN-NUM-4", share=0.3, case=cases, place=lambda _: integers(0, 999), poison=not_finite)
def what_is_not_finite_stays_where_it_is(
    subject: Subject, case: Case, place: int, poison: int
) -> Iterator[None]:
    """in training in its feature, in evaluation in its element; NaN in, NaN out"""
    poisoned, row, column, value = with_element(case, place, poison)
    layer, before, x = subject.start(poisoned)
    evaluated, kept = layer.evaluate(x), layer.state
    trained, after = layer.train(x), layer.state
    yield

    c, where = subject.conventions, f"where x[{row}, {column}] is {value}"
    check_shape("y in evaluation", evaluated, case.x.shape)
    check_kept(kept, before, f"as before evaluation {where}")
    rows = [i for i in range(len(case.x)) if i != row and not c.always_trains()]
    others = [k for k in range(case.config.features) if k != column]
    bound, columns = bounds.evaluate(case.config, before, case.x, c), (slice(None), others)
    expected = oracle.evaluate(case.config, before, case.x, conventions=c)
    if rows:
        check_within(f"y in evaluation {where}", evaluated[rows], expected[rows], bound[rows])
    if others:
        part = evaluated[columns]
        check_within(f"y in evaluation {where}", part, expected[columns], bound[columns])
        limit = bounds.train(case.config, before, case.x, c)
        wanted = oracle.train(case.config, before, case.x, c)
        part = trained[columns]
        check_within(f"y in training {where}", part, wanted.y[columns], limit.y[columns])
        for name in STATISTICS:
            of_others, rounding = getattr(wanted, name)[others], getattr(limit, name)[others]
            check_within(f"{name} {where}", after.arrays()[name][others], of_others, rounding)
    if np.isnan(value):
        reached = slice(row, row + 1) if c.always_evaluates() else slice(None)
        check_nan(f"y in evaluation {where}", evaluated[row : row + 1, [column]])
        check_nan(f"y in training {where}", trained[reached, [column]])


@requirement(
    "BN-SHAPE-1",
    share=0.02,
    palettes=tuple((entry,) for entry in (*SWEEP, *EAGER)),
    by_profile={"quick": tuple((entry,) for entry in (*SWEEP_QUICK, *EAGER))},
    mined=mined_sizes,
    case=lambda palette: cases(palette, fresh_from=NEVER_FRESH),
)
def every_size_is_right(subject: Subject, case: Case) -> None:
    """training, then evaluation with the new statistics, at each size of the sweep"""
    layer, before, x = subject.start(case)
    c = subject.conventions
    rounds = c.stored_roundoff() > 0  # to 16 bits, which one program need not do
    apart = rounds or runs_eagerly(entry_of(case))
    apart = apart or not fits(subject, layer, case.x.shape, compiled=True)
    if apart and not fits(subject, layer, case.x.shape, compiled=False):
        leave_out(subject, case.x.shape)
        return
    if apart:
        y_train, y_eval = layer.train(x), layer.evaluate(x)
    else:
        y_train, y_eval = subject.train_then_evaluate(layer, x)
    after = layer.usable_state

    check_trained(subject, case, before, y_train, after)
    if apart or not c.moves_statistics():
        check_evaluated(case.config, after, case.x, y_eval, c)
    else:
        moved = bounds.train(case.config, before, case.x, c)
        check_evaluated_at_once(subject, case, after, y_eval, moved)


@requirement(
    "BN-SHAPE-2", share=0.6, case=cases, container=lambda _: integers(1, len(CONTAINERS) - 1)
)
def containers_do_not_matter(subject: Subject, case: Case, container: int) -> None:
    """NumPy or JAX, C or Fortran order, strided, reversed or read-only: the same result"""
    layer, before, _ = subject.start(case)
    x = subject.put(Given(case.x, CONTAINERS[container]))

    check_evaluation(layer, case, x)
    check_training(subject, layer, before, case, x)


@requirement("BN-SHAPE-3", share=0.15, case=cases)
def y_is_declared(subject: Subject, case: Case) -> None:
    """y is (N, D), float32 or what is declared"""
    layer, _, x = subject.start(case)
    dtype = subject.conventions.output_dtype() or "float32"

    for y, mode in ((layer.evaluate(x), "evaluation"), (layer.train(x), "training")):
        check_shape(f"y in {mode}", y, case.x.shape)
        check_dtype(f"y in {mode}", y, dtype)


_SEVERAL = (
    Entry(3, 2, 0.75, 1e-5),
    Entry(3, 3, 0.9, 1e-3),
    Entry(4, 9, 0.3, 0.1),
    Entry(5, 3, 0.6, 1e-6),
)
"""More than one feature: a single one broadcasts. N is D + 1, D, below D − 1, above D + 1."""


@requirement("BN-ERR-1", share=0.12, case=lambda _: cases(_SEVERAL))
def a_wrong_width_is_refused(subject: Subject, case: Case) -> None:
    """one feature too many, one too few, or twice as many: an exception, and all as before"""
    layer, before, x = subject.start(case)
    for wrong, flag in product(range(3), (False, True)):
        misfit = with_wrong_width(case.x, wrong)
        check_true(
            f"the call with x of shape {misfit.shape} on a layer of {case.x.shape[1]} features",
            refuses(layer, misfit, flag=flag),
            got="a result",
            expected="an exception",
        )
        check_kept(layer.state, before, "as before the call that raised")
    check_evaluation(layer, case, x)


@requirement("BN-ERR-2", share=0.12, case=lambda _: cases(_SEVERAL))
def a_call_that_raises_moves_nothing(subject: Subject, case: Case) -> None:
    """x of shape (N, 1), D > 1: a result, or an exception, and then all is as before"""
    for flag in (False, True):
        layer, before, x = subject.start(case)
        if refuses(layer, case.x[:, :1], flag=flag):
            check_kept(layer.state, before, "as before the call that raised")
            check_evaluation(layer, case, x)
        elif flag:
            check_kept(layer.state, before, "as before a call in evaluation")


def with_wrong_width(x: Float32, wrong: int) -> Float32:
    """Return x with D + 1, D − 1 or 2D features; never with one, which would broadcast."""
    features = x.shape[1]
    width = (features + 1, max(features - 1, 2), 2 * features)[wrong]
    if width == features:
        width = features + 1
    return x[:, np.arange(width) % features]
