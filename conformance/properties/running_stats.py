"""EMA: the running statistics in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from conformance.adapters.protocols import STATISTICS
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.properties.support.checks import check_within
from conformance.properties.support.claims import check_kept, check_trained
from conformance.properties.support.property import requirement
from conformance.properties.support.running_stats_model import RunningStatsModel
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import (
    OFTEN_FRESH,
    SOMETIMES_FRESH,
    Stream,
    cases,
    streams,
)
from conformance.strategies.shape_grid import Entry
from conformance.strategies.targeted import Permuted, cases_at_momentum, permuted_cases


@requirement("BN-EMA-1", share=0.8, case=cases)
def running_mean_keeps_share_momentum_of_itself(subject: Subject, case: Case) -> Iterator[None]:
    """rm' = m·rm + (1−m)·μ"""
    layer, before, x = subject.start(case)
    layer.train(x)
    after = layer.state
    yield

    expected = oracle.train(case.config, before, case.x, subject.conventions).running_mean
    bound = bounds.train(case.config, before, case.x, subject.conventions).running_mean
    check_within("running_mean", after.running_mean, expected, bound)


@requirement("BN-EMA-2", case=lambda palette: cases(palette, fresh_from=SOMETIMES_FRESH))
def running_var_keeps_share_momentum_of_itself(subject: Subject, case: Case) -> Iterator[None]:
    """rv' = m·rv + (1−m)·v, v biased"""
    layer, before, x = subject.start(case)
    layer.train(x)
    after = layer.state
    yield

    expected = oracle.train(case.config, before, case.x, subject.conventions).running_var
    bound = bounds.train(case.config, before, case.x, subject.conventions).running_var
    check_within("running_var", after.running_var, expected, bound)


@requirement("BN-EMA-3", share=0.28, drawn=lambda palette: streams(palette, fresh_from=OFTEN_FRESH))
def each_call_is_one_update(subject: Subject, drawn: Stream) -> Iterator[None]:
    """k calls are k steps of the recursion"""
    layer, before, _ = subject.start(drawn.case)
    batches, states = [drawn.case.x, *drawn.following], []
    for batch in batches:
        layer.train(subject.input(drawn.case.with_x(batch)))
        states.append(layer.state)
    yield

    model = RunningStatsModel.from_state(drawn.case.config, before, subject.conventions)
    for batch, state in zip(batches, states, strict=True):
        model.train(batch)
        model.check_statistics(state)


@requirement("BN-EMA-4", share=0.2, case=lambda palette: cases_at_momentum(palette, 1.0))
def momentum_one_keeps_the_statistics(subject: Subject, case: Case) -> Iterator[None]:
    """m = 1: rm' = rm, rv' = rv"""
    layer, before, x = subject.start(case)
    layer.train(x)
    after = layer.state
    yield

    check_trained(subject, case, before, None, after)


@requirement("BN-EMA-5", share=0.2, case=lambda palette: cases_at_momentum(palette, 0.0))
def momentum_zero_replaces(subject: Subject, case: Case) -> Iterator[None]:
    """m = 0: rm' = μ, rv' = v"""
    layer, before, x = subject.start(case)
    layer.train(x)
    after = layer.state
    yield

    mean, var = oracle.statistics(case.x)
    var = var * subject.conventions.share_stored(len(case.x))
    bound = bounds.train(case.config, before, case.x, subject.conventions)
    check_within("running_mean", after.running_mean, mean, bound.running_mean)
    check_within("running_var", after.running_var, var, bound.running_var)


_STEPS = {0.9: 160, 0.97: 280, 0.99: 400}
"""Calls by momentum: as many as it takes for steps to become small."""

_LONG = tuple(Entry(5, 3, momentum, 1e-5) for momentum in _STEPS)


@requirement("BN-EMA-6", share=0.03, case=lambda _: cases(_LONG))
def a_constant_stream_converges(subject: Subject, case: Case) -> None:
    """rm_k − μ = mᵏ·(rm_0 − μ); rv_k − v = mᵏ·(rv_0 − v), for k up to 400"""
    layer, before, x = subject.start(case)
    model = RunningStatsModel.from_state(case.config, before, subject.conventions)

    for step in range(_STEPS.get(case.config.momentum, max(_STEPS.values()))):
        layer.train(x)
        model.train(case.x)
        if step % 40 == 39:
            model.check_statistics(layer.state)


_ANOTHER_EPS = 0.5


@requirement("BN-EMA-7", share=0.2, drawn=lambda palette: permuted_cases(palette[::5]))
def the_update_sees_x_only(subject: Subject, drawn: Permuted) -> None:
    """rm', rv' are the same for other γ, β, ε and row orders"""
    case = drawn.case
    layer, before, x = subject.start(case)
    layer.train(x)
    after = layer.state
    config = replace(case.config, eps=_ANOTHER_EPS if case.config.eps != _ANOTHER_EPS else 1e-3)
    config = subject.implementation.design.configured(config)
    changed = before.replace(gamma=before.beta + 2, beta=before.gamma - 3)
    second = subject.build(config, changed)
    second.train(subject.input(case.with_x(case.x[drawn.row_order])))

    bound = bounds.train(case.config, before, case.x, subject.conventions)
    for name in ("running_mean", "running_var"):
        limit: Bound = getattr(bound, name)
        got, wanted = getattr(second.state, name), getattr(after, name)
        check_within(f"{name} with other gamma, beta, eps", got, wanted, limit + limit)


@requirement("BN-EMA-8", share=0.2, case=lambda palette: cases_at_momentum(palette, 1.0))
def momentum_one_changes_nothing(subject: Subject, case: Case) -> None:
    """m = 1: rm' = rm, rv' = rv, bit for bit"""
    layer, before, x = subject.start(case)
    layer.train(x)
    after = layer.state
    if (
        subject.conventions.weight_of_old(1.0, before.count) < 1
    ):  # the first batch, if that is declared
        check_trained(subject, case, before, None, after)
        return

    still = after.replace(count=None)  # what counts its calls has counted this one
    check_kept(still, before, "unchanged by a call with momentum 1", names=STATISTICS)
