"""GRAD-7 and SHARED-2: the optimiser owns gamma and beta, the layer owns its statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import optax
from flax import nnx

from conformance import bounds
from conformance.bounds import GradientBounds
from conformance.case import State
from conformance.checks import check_within
from conformance.layers import PARAMETERS
from conformance.oracle import Gradient
from conformance.properties.differentiation import check_one_update, expected_gradients, loss
from conformance.properties.history import Model
from conformance.properties.registry import requirement
from conformance.strategies.cotangents import (
    STEPS,
    Interleaved,
    Pulled,
    interleaved_cases,
    pulled_cases,
)
from conformance.strategies.source import choices
from conformance.subject import LiveLayer, Subject, calling

RATES = (0.5, 0.125, 2.0**-10)
DECAY = 0.25
OTHER_MOMENTUM, OTHER_EPS = 0.4, 0.05
"""The configuration of the other layer."""


@requirement(
    "BN-GRAD-7",
    share=0.4,
    drawn=lambda _: pulled_cases(STEPS),
    rate=lambda _: choices(0, len(RATES) - 1),
)
def the_optimizer_moves_gamma_and_beta_only(subject: Subject, drawn: Pulled, rate: int) -> None:
    """γ' = γ − η·(dγ + λ·γ), likewise β; rm' = m·rm + (1−m)·μ, likewise rv"""
    case, w, _ = drawn
    layer, before, x = subject.start(case)
    with calling("a step of nnx.Optimizer under nnx.jit"):
        _STEP(layer.module, x, w, RATES[rate])

    pulled = expected_gradients(subject, before, case, w, evaluate=False)
    _check_descended(layer, before, [pulled], RATES[rate])
    check_one_update(subject, layer, before, case)


@requirement(
    "BN-SHARED-2",
    share=0.2,
    drawn=lambda _: interleaved_cases(STEPS[:1]),
    rate=lambda _: choices(0, len(RATES) - 1),
)
def uses_add_up_and_layers_do_not_mix(subject: Subject, drawn: Interleaved, rate: int) -> None:
    """loss = Σ w·a(x) + Σ w*·a(x*) + Σ w·b(x*): one optimiser step, 2 and 1 updates"""
    case, state, x, w, other = drawn
    again = replace(case, x=x)
    config = replace(case.config, momentum=OTHER_MOMENTUM, eps=OTHER_EPS)
    beside = replace(again, state=state, config=config)
    first, before, _ = subject.start(case)
    second, start, _ = subject.start(beside)
    with calling("a step of nnx.Optimizer on a model of two layers, under nnx.jit"):
        _STEP_OF_TWO(nnx.List([first.module, second.module]), case.x, x, w, other, RATES[rate])

    pulled = [
        expected_gradients(subject, before, each, cotangent, evaluate=False)
        for each, cotangent in ((case, w), (again, other))
    ]
    _check_descended(first, before, pulled, RATES[rate], of=" of the layer used twice")
    alone = expected_gradients(subject, start, beside, w, evaluate=False)
    _check_descended(second, start, [alone], RATES[rate], of=" of the other layer")
    for layer, owner, origin, batches in (
        (first, case.config, before, (case.x, x)),
        (second, config, start, (x,)),
    ):
        model = Model.starting(owner, origin, subject.accuracy)
        for batch in batches:
            model.train(batch)
        model.check_statistics(layer.state)


def _check_descended(
    layer: LiveLayer,
    before: State,
    pulled: Sequence[tuple[Gradient, GradientBounds]],
    rate: float,
    *,
    of: str = "",
) -> None:
    """Check gamma and beta after a step along the sum of the gradients of several uses."""
    after = layer.state.arrays()
    for name in PARAMETERS:
        old = before.arrays()[name].astype(np.float64)
        parts = [getattr(wanted, name) for wanted, _ in pulled]
        limit = bounds.total(parts, [getattr(bound, name) for _, bound in pulled])
        gradient = sum(parts[1:], start=parts[0])
        moved = old - rate * (gradient + DECAY * old)
        bound = bounds.step(old, gradient, limit, rate, DECAY)
        check_within(f"{name}{of} after the step", after[name], moved, bound)


def _descend(model: Any, gradients: Any, rate: Any) -> None:
    """Take one step, with weight decay, on every nnx.Param."""
    rule = optax.chain(optax.add_decayed_weights(DECAY), optax.sgd(rate))
    nnx.Optimizer(model, rule, wrt=nnx.Param).update(model, gradients)


def _step(module: Any, x: Any, w: Any, rate: Any) -> None:
    _descend(module, nnx.grad(loss)(module, x, w), rate)


def _step_of_two(model: Any, x: Any, following: Any, w: Any, other: Any, rate: Any) -> None:
    def total(model: Any) -> Any:
        twice = loss(model[0], x, w) + loss(model[0], following, other)
        return twice + loss(model[1], following, w)

    _descend(model, nnx.grad(total)(model), rate)


_STEP = nnx.jit(_step)
_STEP_OF_TWO = nnx.jit(_step_of_two)
