"""GRAD: what JAX derives from a call of the layer.

w is the cotangent of y: the gradients are those of the loss Σ w·y. Most are taken under
``jax.jit``, where a case costs half a millisecond instead of ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from conformance.adapters.protocols import PARAMETERS
from conformance.properties.support.checks import (
    check_finite,
    check_identical,
    check_same,
    check_within,
)
from conformance.properties.support.claims import check_trained
from conformance.properties.support.differentiation import (
    GRADIENTS,
    as_gradients,
    check_gradient,
    check_present,
    check_pulled,
    expected_gradients,
    gradients_of,
)
from conformance.properties.support.module_facts import as_paths, paths_of
from conformance.properties.support.optimizer import DECAY, RATES, check_descended
from conformance.properties.support.property import requirement
from conformance.properties.support.second_order import (
    check_moved,
    check_second,
    offered,
    present_tangent,
)
from conformance.properties.support.session import as_array
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.cotangents import (
    EAGER,
    GRADIENT,
    SECOND,
    STEPS,
    TAIL,
    Interleaved,
    Moved,
    Pulled,
    PulledTwice,
    Twice,
    interleaved_cases,
    moved_cases,
    pulled_cases,
    pulled_twice,
    twice_pulled_cases,
)


@requirement(
    "BN-GRAD-1",
    share=0.4,
    drawn=lambda _: pulled_cases(GRADIENT, EAGER),
    evaluate=lambda _: integers(0, 1),
)
def beta_receives_the_sum(subject: Subject, drawn: Pulled, evaluate: int) -> Iterator[None]:
    """dβ = Σ w, in both modes"""
    return check_pulled(subject, drawn, "beta", evaluate=bool(evaluate))


@requirement(
    "BN-GRAD-2",
    share=0.6,
    drawn=lambda _: pulled_cases(GRADIENT, EAGER),
    evaluate=lambda _: integers(0, 1),
)
def gamma_receives_the_projection_on_z(
    subject: Subject, drawn: Pulled, evaluate: int
) -> Iterator[None]:
    """dγ = Σ w·z, in both modes"""
    return check_pulled(subject, drawn, "gamma", evaluate=bool(evaluate))


@requirement("BN-GRAD-3", drawn=lambda _: pulled_cases(GRADIENT, EAGER))
def training_is_differentiated_through_the_batch(subject: Subject, drawn: Pulled) -> Iterator[None]:
    """dx = γ·r·(w − mean(w) − z·mean(w·z))"""
    return check_pulled(subject, drawn, "x", evaluate=False)


@requirement("BN-GRAD-4", share=0.3, drawn=lambda _: pulled_cases(GRADIENT, EAGER))
def evaluation_is_differentiated_as_a_scaling(subject: Subject, drawn: Pulled) -> Iterator[None]:
    """dx = w·γ/√(rv+ε)"""
    return check_pulled(subject, drawn, "x", evaluate=True)


@requirement(
    "BN-GRAD-5",
    share=0.4,
    drawn=lambda _: pulled_twice(GRADIENT),
    evaluate=lambda _: integers(0, 1),
)
def gradients_are_linear(subject: Subject, drawn: PulledTwice, evaluate: int) -> Iterator[None]:
    """d(w + w*) = d(w) + d(w*); d(c·w) = c·d(w); finite; Σ dx = 0 in training"""
    case, w, other, factor = drawn
    layer, before, x = subject.start(case)
    cotangents = (w, other, w + other, np.float32(factor) * w)
    mode = bool(evaluate)
    pulled = [gradients_of(layer, x, each, evaluate=mode) for each in cotangents]
    yield

    limits = [
        expected_gradients(subject, before, case, each, evaluate=mode)[1] for each in cotangents
    ]
    for name in GRADIENTS:
        one, two, both, multiple = (each[name].astype(np.float64) for each in pulled)
        limit = [getattr(each, name) for each in limits]
        check_finite(f"the gradient of {name}", both)
        added = limit[0] + limit[1] + limit[2]
        check_within(f"the gradient of {name} at w + w*", both, one + two, added)
        scaled = limit[0].scaled(factor) + limit[3]
        check_within(f"the gradient of {name} at {factor:g}·w", multiple, factor * one, scaled)
    c = subject.conventions
    if not mode and not c.normalises_with_average() and not c.always_evaluates():
        total = pulled[0]["x"].astype(np.float64).mean(axis=0)
        check_within("mean of the gradient of x", total, np.zeros_like(total), limits[0].x.mean())


@requirement("BN-GRAD-6", share=0.5, drawn=lambda _: pulled_cases(STEPS, EAGER))
def value_and_grad_returns_two_leaves_and_one_update(
    subject: Subject, drawn: Pulled
) -> Iterator[None]:
    """grads = {γ: Σ w·z, β: Σ w}; rm' = m·rm + (1−m)·μ, rv' = m·rv + (1−m)·v"""
    case, w, eager = drawn
    layer, before, x = subject.start(case)
    loss = x, w, eager
    answer = layer.session.request(
        "differentiate_loss", layer.ref, *loss, label="nnx.value_and_grad"
    )
    after = layer.state
    yield

    found, path_of = answer.value, paths_of(layer)
    names = subject.conventions.present(PARAMETERS)
    wanted = as_paths([path_of[name] for name in names])
    check_same("leaves of the gradient", as_paths(found["leaves"]), wanted)
    got = check_present(found, names)
    expected = expected_gradients(subject, before, case, w, evaluate=False)
    for name in names:
        check_gradient(name, got, expected, "nnx.value_and_grad")
    check_trained(subject, case, before, None, after)


@requirement("BN-GRAD-8", share=0.2, drawn=lambda _: pulled_cases(STEPS))
def statistics_carry_no_gradient(subject: Subject, drawn: Pulled) -> None:
    """∂(rm', rv')/∂x = 0"""
    case, w, _ = drawn
    layer, _, x = subject.start(case)
    label = "differentiating the running statistics under jax.jit"
    pulled = layer.ask("gradient_through_statistics", x, 1 + w[0], 2 - w[-1], label=label)
    got = as_array("the gradient of the running statistics", pulled)

    rule = "the statistics are constants"
    check_identical("the gradient of rm' and rv'", got, np.zeros_like(case.x), rule=rule)


@requirement(
    "BN-GRAD-9",
    share=0.2,
    drawn=lambda _: interleaved_cases(EAGER),
    evaluate=lambda _: integers(0, 1),
)
def each_backward_pass_has_its_own_residuals(
    subject: Subject, drawn: Interleaved, evaluate: int
) -> None:
    """forward, forward, backward of the first, of the second, and of the first again"""
    case, state, x, w, other = drawn
    following = replace(case, state=state, x=x)
    layer, before, _ = subject.start(case)
    mode = bool(evaluate)
    label = "forward, forward, backward of the first"
    first = layer.keep("run_forward", subject.input(case), mode, label=label)
    layer.write(state)
    second = layer.keep("run_forward", subject.input(following), mode, label=label)
    once, of_second, again = (
        as_gradients(subject.session.ask("run_backward", pullback, each, label=label))
        for pullback, each in ((first, w), (second, other), (first, w))
    )

    for name in GRADIENTS:
        expected = expected_gradients(subject, before, case, w, evaluate=mode)
        check_gradient(name, once, expected, "the first call")
        expected = expected_gradients(subject, state, following, other, evaluate=mode)
        check_gradient(name, of_second, expected, "the second call")
        expected = expected_gradients(subject, before, case, w, evaluate=mode)
        check_gradient(name, again, expected, "the first call, pulled back again")


@requirement(
    "BN-GRAD-7",
    share=0.2,
    drawn=lambda _: pulled_cases(STEPS),
    rate=lambda _: integers(0, len(RATES) - 1),
)
def the_optimizer_moves_gamma_and_beta_only(
    subject: Subject, drawn: Pulled, rate: int
) -> Iterator[None]:
    """p' = p − η·(dp + λp), p ∈ {γ, β}; rm' = m·rm + (1−m)·μ; rv' = m·rv + (1−m)·v"""
    case, w, _ = drawn
    layer, before, x = subject.start(case)
    label = "a step of nnx.Optimizer under nnx.jit"
    layer.do("step", x, w, RATES[rate], DECAY, label=label)
    after = layer.state
    yield

    pulled = expected_gradients(subject, before, case, w, evaluate=False)
    check_descended(after, before, [pulled], RATES[rate])
    check_trained(subject, case, before, None, after)


@requirement(
    "BN-GRAD-10",
    share=0.4,
    drawn=lambda _: moved_cases((*SECOND, TAIL), 1),
    evaluate=lambda _: integers(0, 1),
)
def forward_mode_moves_the_output(subject: Subject, drawn: Moved, evaluate: int) -> Iterator[None]:
    """ẏ = γ̇·z + β̇ + γ·r·(t − mean(t) − z·mean(z·t)), or γ̇·z + β̇ + γ·r·t in evaluation"""
    case = drawn.case
    along = present_tangent(subject, drawn.along[0])
    layer, before, x = subject.start(case)
    call = layer.keep("prepare_call", x, bool(evaluate), label=_APART)
    moved = layer.session.request("move_along", call, *along, label="jax.jvp of the call")
    yield

    check_moved(subject, before, case, along, offered(moved.value), evaluate=bool(evaluate))


@requirement(
    "BN-GRAD-11",
    share=0.3,
    drawn=lambda _: moved_cases(SECOND, 2),
    evaluate=lambda _: integers(0, 1),
)
def one_linear_map_moves_along_all_tangents(
    subject: Subject, drawn: Moved, evaluate: int
) -> Iterator[None]:
    """f_lin(γ̇, β̇, t) = ẏ, for each tangent"""
    case = drawn.case
    several = [list(present_tangent(subject, each)) for each in drawn.along]
    layer, before, x = subject.start(case)
    call = layer.keep("prepare_call", x, bool(evaluate), label=_APART)
    label = "jax.linearize of the call"
    moved = layer.session.request("move_linearly", call, several, label=label)
    yield

    for along, each in zip(several, offered(moved.value), strict=True):
        check_moved(subject, before, case, along, each, evaluate=bool(evaluate))


@requirement(
    "BN-GRAD-12",
    share=0.25,
    drawn=lambda _: twice_pulled_cases(SECOND),
    evaluate=lambda _: integers(0, 1),
)
def gradients_have_gradients(subject: Subject, drawn: Twice, evaluate: int) -> Iterator[None]:
    """of Σ t·dx for γ, x and w, in reverse mode"""
    return _differentiate_twice(subject, drawn, evaluate=bool(evaluate), forward_mode=False)


@requirement(
    "BN-GRAD-13",
    share=0.2,
    drawn=lambda _: twice_pulled_cases(SECOND),
    evaluate=lambda _: integers(0, 1),
)
def gradients_move_in_forward_mode(subject: Subject, drawn: Twice, evaluate: int) -> Iterator[None]:
    """the derivatives of dγ, dx and y along t"""
    return _differentiate_twice(subject, drawn, evaluate=bool(evaluate), forward_mode=True)


def _differentiate_twice(
    subject: Subject, drawn: Twice, *, evaluate: bool, forward_mode: bool
) -> Iterator[None]:
    case, w, t = drawn
    layer, before, x = subject.start(case)
    call = layer.keep("prepare_call", x, evaluate, label=_APART)
    label = ("forward" if forward_mode else "reverse") + " over reverse"
    name, arguments = "differentiate_gradient", (call, w, t, forward_mode)
    found = layer.session.request(name, *arguments, label=label)
    yield

    check_second(subject, before, drawn, offered(found.value), evaluate=evaluate)


_APART = "taking the layer apart"
