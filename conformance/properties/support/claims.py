"""The two claims that many requirements share: a training call and an evaluation call.

A requirement that is about something else, such as a flag or a shape, says it through these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from conformance.adapters.protocols import ARRAYS, STATISTICS, Config
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import check_identical, check_within
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.running_stats_model import check_count
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case


def check_training(
    subject: Subject, layer: LayerHandle, before: State, case: Case, x: Any, flag: Any = False
) -> None:
    """Train once, from the state ``before``; y and both running statistics must be right.

    Args:
        subject: The implementation.
        layer: The layer to call.
        before: Its state, four arrays of (D,).
        case: The batch, (N, D), and the configuration.
        x: The same batch in the container in which to pass it.
        flag: The flag to pass.
    """
    y, after = layer.call(x, flag), layer.state
    layer.session.later(partial(check_trained, subject, case, before, y, after))


def check_evaluation(layer: LayerHandle, case: Case, x: Any, flag: Any = True) -> None:
    """Evaluate with the present state of the layer; y must be right.

    Args:
        layer: The layer to call.
        case: The batch, (N, D), and the configuration.
        x: The same batch in the container in which to pass it.
        flag: The flag to pass.
    """
    now, y = layer.usable_state, layer.call(x, flag)
    arguments = case.config, now, case.x, y, layer.conventions
    layer.session.later(partial(check_evaluated, *arguments))


def check_evaluated(
    config: Config, state: State, x: AnyArray, y: AnyArray, conventions: Conventions
) -> None:
    """Check an output of evaluation against the oracle.

    Args:
        config: ε of the layer.
        state: γ, β, rm and rv, each (D,).
        x: The batch, (N, D).
        y: The output, (N, D).
        conventions: The conventions that the layer declares.
    """
    expected = oracle.evaluate(config, state, x, conventions=conventions)
    check_within("y in evaluation", y, expected, bounds.evaluate(config, state, x, conventions))


def check_evaluated_at_once(
    subject: Subject, case: Case, after: State, y: AnyArray, moved: bounds.TrainingBounds
) -> None:
    """Check an output of evaluation in the program that has just updated the statistics.

    The program need not round the new averages, as it stores them, before it uses them. Both are
    within the bound of the update, so they differ by at most twice that.

    Args:
        subject: The implementation.
        case: The batch, (N, D), and the configuration.
        after: The state after the update.
        y: The output, (N, D).
        moved: The bounds of the update.
    """
    c, config, x = subject.conventions, case.config, case.x.astype(np.float64)
    mean, var = (after.arrays()[name].astype(np.float64) for name in STATISTICS)

    def error(e_mean: AnyArray, e_var: AnyArray) -> AnyArray:
        return bounds.output_error(x, mean, var, 2 * e_mean, 2 * e_var, config.eps, after, c)

    of_mean, of_var = moved.running_mean, moved.running_var
    strict = error(of_mean.strict, of_var.strict)
    same = of_mean.allowed is of_mean.strict and of_var.allowed is of_var.strict
    wider = None if same else error(of_mean.allowed, of_var.allowed)
    expected = oracle.evaluate(config, after, case.x, conventions=c)
    check_within("y in evaluation", y, expected, Bound.of(strict, wider))


def check_trained(
    subject: Subject,
    case: Case,
    before: State,
    y: AnyArray | None,
    after: State,
    *,
    what: str = "y in training",
    of: str = "",
) -> None:
    """Check the results of one training call.

    Args:
        subject: The implementation.
        case: The batch, (N, D), and the configuration.
        before: The state before the call.
        y: The output, (N, D); None leaves it out.
        after: The state after the call.
        what: The name of y in a violation.
        of: What is appended to the names of the statistics.
    """
    expected = oracle.train(case.config, before, case.x, subject.conventions)
    bound = bounds.train(case.config, before, case.x, subject.conventions)
    if y is not None:
        check_within(what, y, expected.y, bound.y)
    compare_statistics(after.arrays(), expected, bound, of=of)
    check_count(after, subject.conventions.counted(before.count), of)


def compare_statistics(
    after: Mapping[str, AnyArray],
    expected: oracle.Training,
    bound: bounds.TrainingBounds,
    *,
    of: str = "",
) -> None:
    """Check both running statistics by name against a training call of the oracle.

    Args:
        after: The arrays after the call, each (D,).
        expected: The oracle's results.
        bound: Their bounds.
        of: What is appended to the names of the statistics.
    """
    for name in STATISTICS:
        wanted, limit = getattr(expected, name), getattr(bound, name)
        check_within(f"{name}{of}", after[name], wanted, limit)


def check_kept(
    after: State, before: State, rule: str, *, names: Sequence[str] = ARRAYS, of: str = ""
) -> None:
    """Check that the named arrays are identical.

    Args:
        after: The state to check, four arrays of (D,).
        before: The state that it must equal.
        rule: What a violation adds to the expected value.
        names: The arrays to compare.
        of: What is appended to their names.
    """
    for name in names:
        check_identical(f"{name}{of}", after.arrays()[name], before.arrays()[name], rule=rule)
    if any(name in names for name in STATISTICS):
        check_count(after, before.count, f"{of}, {rule}")
