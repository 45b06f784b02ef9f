"""TRAIN: normalising with the statistics of the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import (
    check_dtype,
    check_finite,
    check_shape,
    check_within,
)
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import Rewritten, cases, rewritten_cases
from conformance.strategies.targeted import (
    Permuted,
    Poisoned,
    Scaled,
    Shifted,
    cases_with,
    constant_cases,
    permuted_cases,
    replaced_columns,
    scaled_cases,
    shifted_cases,
    stackable_cases,
)


@requirement("BN-TRAIN-1", share=0.8, case=cases)
def training_normalizes_with_the_batch(subject: Subject, case: Case) -> Iterator[None]:
    """y = γ·(x−μ)/√(v+ε) + β"""
    layer, before, x = subject.start(case)
    y = layer.train(x)
    yield

    if (dtype := subject.conventions.output_dtype()) is not None:
        check_dtype("y", y, dtype)
    expected = oracle.train(case.config, before, case.x, subject.conventions).y
    check_within("y", y, expected, bounds.train(case.config, before, case.x, subject.conventions).y)


@requirement("BN-TRAIN-2", share=0.4, drawn=rewritten_cases)
def training_ignores_the_running_statistics(subject: Subject, drawn: Rewritten) -> Iterator[None]:
    """y(x; rm, rv) = y(x; rm*, rv*)"""
    case, other = drawn
    layer, before, x = subject.start(case)
    y = layer.train(x)
    moved = before.replace(running_mean=other.running_mean, running_var=other.running_var)
    layer.write(moved)
    again = layer.train(x)
    yield

    check_shape("y", y, case.x.shape)
    bound = bounds.train(case.config, before, case.x, subject.conventions).y
    check_within("y with other running statistics", again, y, bound + bound)


@requirement("BN-TRAIN-3", share=0.2, drawn=replaced_columns)
def features_are_independent(subject: Subject, drawn: Poisoned) -> None:
    """y[:, k] and rm'[k], rv'[k] are the same for all k ≠ j, whatever stands in column j"""
    case, column, replacement = drawn
    layer, before, x = subject.start(case)
    y, after = layer.train(x), layer.usable_state
    poisoned = case.x.copy()
    poisoned[:, column] = replacement
    other = subject.build(case.config, before)
    y_other = other.train(subject.input(case.with_x(poisoned)))
    after_other = other.usable_state

    check_shape("y", y, case.x.shape)
    others = [k for k in range(case.config.features) if k != column]
    bound = bounds.train(case.config, before, case.x, subject.conventions)
    columns = (slice(None), others)
    both = (bound.y + bound.y)[columns]
    check_within("y of the other features", y_other[columns], y[columns], both)
    for name in ("running_mean", "running_var"):
        limit: Bound = getattr(bound, name)
        got, wanted = getattr(after_other, name)[others], getattr(after, name)[others]
        check_within(f"{name} of the other features", got, wanted, (limit + limit)[others])


@requirement("BN-TRAIN-4", share=0.3, drawn=permuted_cases)
def permutations_go_through(subject: Subject, drawn: Permuted) -> Iterator[None]:
    """y(PxQ; sQ) = P·y(x; s)·Q, and the statistics follow Q"""
    case, rows, columns = drawn
    layer, before, x = subject.start(case)
    y, after = layer.train(x), layer.usable_state
    turned = case.with_x(case.x[rows][:, columns])
    other = subject.build(case.config, before.take(columns))
    y_turned, after_turned = other.train(subject.input(turned)), other.usable_state
    yield

    check_shape("y", y, case.x.shape)
    bound = bounds.train(case.config, before, case.x, subject.conventions)
    both = bound.y + bound.y
    check_within("y permuted", y_turned, y[rows][:, columns], both[np.ix_(rows, columns)])
    for name in ("running_mean", "running_var"):
        limit: Bound = getattr(bound, name)
        check_within(
            f"{name} permuted",
            getattr(after_turned, name),
            getattr(after, name)[columns],
            (limit + limit)[columns],
        )


@requirement("BN-TRAIN-5", share=0.3, case=stackable_cases)
def stacking_the_batch_changes_nothing(subject: Subject, case: Case) -> Iterator[None]:
    """y([x; x]) = [y(x); y(x)], rm', rv' as for x"""
    layer, before, x = subject.start(case)
    y, after = layer.train(x), layer.usable_state
    stacked = case.with_x(np.concatenate([case.x, case.x]))
    other = subject.build(case.config, before)
    y_stacked, after_stacked = other.train(subject.input(stacked)), other.usable_state
    yield

    check_shape("y", y, case.x.shape)
    one = bounds.train(case.config, before, case.x, subject.conventions)
    two = bounds.train(case.config, before, stacked.x, subject.conventions)
    twice = np.tile(np.arange(len(case.x)), 2)
    check_within("y of the stacked batch", y_stacked, y[twice], one.y[twice] + two.y)
    for name in ("running_mean", "running_var"):
        limit: Bound = getattr(one, name) + getattr(two, name)
        got, wanted = getattr(after_stacked, name), getattr(after, name)
        check_within(f"{name} of the stacked batch", got, wanted, limit)


@requirement("BN-TRAIN-6", share=0.2, drawn=shifted_cases)
def an_offset_changes_nothing(subject: Subject, drawn: Shifted) -> None:
    """y(x + c) = y(x)"""
    case, shift = drawn
    layer, before, x = subject.start(case)
    y = layer.train(x)
    shifted = case.with_x(case.x + shift)
    moved, rounding = _shifted(subject, before, shift, case)
    y_shifted = subject.build(case.config, moved).train(subject.input(shifted))

    check_shape("y", y, case.x.shape)
    one = bounds.train(case.config, before, case.x, subject.conventions).y
    two = bounds.train(case.config, moved, shifted.x, subject.conventions).y
    check_within("y of the shifted batch", y_shifted, y, one + two + rounding)


def _shifted(subject: Subject, state: State, shift: AnyArray, case: Case) -> tuple[State, Bound]:
    """Return the state for the shifted batch, and how far rounding it moves y, (D,).

    The batch alone makes y, unless a declaration says that the averages do: then rm is shifted,
    too, which rounds it by u·|rm+c|, and y moves by at most |γ|·r of that.
    """
    if not subject.conventions.normalises_with_average():
        return state, Bound.of(np.zeros(shift.shape))
    mean = state.running_mean.astype(np.float64) + shift
    var = oracle.train(case.config, state, case.x, subject.conventions).running_var
    scale = np.abs(state.gamma.astype(np.float64)) / np.sqrt(var + case.config.eps)
    rounding = Bound.of(2 * bounds.U * np.abs(mean) * scale)
    return state.replace(running_mean=mean.astype(np.float32)), rounding


@requirement("BN-TRAIN-7", share=0.2, drawn=lambda palette: scaled_cases(palette[::7]))
def scaling_x_and_eps_together_changes_nothing(subject: Subject, drawn: Scaled) -> Iterator[None]:
    """y(c·x; c²·ε) = y(x; ε)"""
    case, factor = drawn
    layer, before, x = subject.start(case)
    y = layer.train(x)
    config = replace(case.config, eps=case.config.eps * factor**2)
    scaled = case.with_x(case.x * np.float32(factor))
    moved = before.replace(  # what matters if a declaration says so; exact, for a power of two
        running_mean=before.running_mean * np.float32(factor),
        running_var=before.running_var * np.float32(factor**2),
    )
    moved = moved if subject.conventions.normalises_with_average() else before
    y_scaled = subject.build(config, moved).train(subject.input(scaled))
    yield

    check_shape("y", y, case.x.shape)
    one = bounds.train(case.config, before, case.x, subject.conventions).y
    two = bounds.train(config, moved, scaled.x, subject.conventions).y
    check_within("y of the scaled batch", y_scaled, y, one + two)


@requirement("BN-TRAIN-8", share=0.2, case=lambda palette: cases_with(palette, rows=1))
def a_single_row_gives_beta(subject: Subject, case: Case) -> Iterator[None]:
    """N = 1: y = β"""
    layer, before, x = subject.start(case)
    y = layer.train(x)
    yield

    bound = bounds.train(case.config, before, case.x, subject.conventions).y
    expected, scale = _of_constants(subject, case, before), _scale_of_y(before)
    check_within("y of a single row", y, expected, bound, scale=scale)


def _scale_of_y(state: State) -> AnyArray:
    """Return the size of y = γ·z + β where z is 1, (D,): β alone may be 0."""
    return np.abs(state.gamma.astype(np.float64)) + np.abs(state.beta.astype(np.float64))


def _of_constants(subject: Subject, case: Case, before: State) -> AnyArray:
    """Return y of a batch without variance: β, unless a declaration lets the averages make it."""
    if subject.conventions.normalises_with_average():
        return oracle.train(case.config, before, case.x, subject.conventions).y
    return np.tile(before.beta.astype(np.float64), (len(case.x), 1))


@requirement("BN-TRAIN-9", share=0.2, case=constant_cases)
def a_constant_feature_gives_beta(subject: Subject, case: Case) -> Iterator[None]:
    """x = c: y is finite and equals β"""
    layer, before, x = subject.start(case)
    y = layer.train(x)
    yield

    check_finite("y of constant features", y)
    bound = bounds.train(case.config, before, case.x, subject.conventions).y
    expected, scale = _of_constants(subject, case, before), _scale_of_y(before)
    check_within("y of constant features", y, expected, bound, scale=scale)


@requirement("BN-TRAIN-10", share=0.4, case=cases)
def the_plain_output_is_standardized(subject: Subject, case: Case) -> Iterator[None]:
    """γ = 1, β = 0: mean(y) = 0 and mean(y²) = v/(v+ε)"""
    plain = State.fresh(case.config.features)
    y = subject.build(case.config, plain).train(subject.input(case)).astype(np.float64)
    yield

    _, var = oracle.statistics(case.x)
    z = oracle.train(case.config, plain, case.x, subject.conventions).z
    bound = bounds.train(case.config, plain, case.x, subject.conventions).y
    check_within("mean of y", y.mean(axis=0), np.zeros_like(var), bound.mean())
    square = bound.of_square(z)
    expected = var / (var + case.config.eps)
    check_within("mean square of y", np.square(y).mean(axis=0), expected, square.mean())
