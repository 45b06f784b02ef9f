"""Derivatives along tangents and second derivatives, compared with the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.numerics import bounds
from conformance.numerics.second_order import output_along, second_gradients
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import check_within
from conformance.properties.support.session import as_array
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case
from conformance.strategies.cotangents import Tangent, Twice


class NotOffered(Exception):
    """The implementation cannot do what the requirement is about, and JAX says so."""


def offered(result: Any) -> Any:
    """Return the result of an operation in forward mode.

    Raises:
        NotOffered: JAX refuses it.
    """
    if result is None:
        msg = "needs forward mode, which a jax.custom_vjp refuses: forward_mode=False declares it"
        raise NotOffered(msg)
    return result


SECOND = ("gamma", "x", "w")
"""What the gradient of x is differentiated with respect to."""


def is_evaluation(subject: Subject, *, evaluate: bool) -> bool:
    """Return whether a call normalises with the stored statistics."""
    c = subject.conventions
    return (evaluate or c.always_evaluates()) and not c.always_trains()


def present_tangent(subject: Subject, along: Tangent) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return tangents of γ, β and x: zero where the layer has no such array."""
    absent = subject.conventions.design.absent
    of_gamma, of_beta = (
        0 * value if name in absent else value
        for name, value in (("gamma", along.gamma), ("beta", along.beta))
    )
    return of_gamma, of_beta, along.x


def check_moved(
    subject: Subject, before: State, case: Case, along: Any, moved: Any, *, evaluate: bool
) -> None:
    """Check the derivative of y along tangents.

    Args:
        subject: The implementation.
        before: The state before the call.
        case: The batch, (N, D), and the configuration.
        along: The tangents of γ, β, (D,), and x, (N, D).
        moved: The derivative, (N, D).
        evaluate: Whether the call evaluates.
    """
    mode = is_evaluation(subject, evaluate=evaluate)
    arguments = subject.conventions
    expected = output_along(case.x, before.arrays(), case.config.eps, along, mode)
    bound = bounds.output_along(case.config, before, case.x, along, arguments, evaluate=mode)
    what = f"the derivative of y along tangents in {'evaluation' if evaluate else 'training'}"
    check_within(what, as_array(what, moved), expected, bound)


def check_second(
    subject: Subject, before: State, drawn: Twice, found: Any, *, evaluate: bool
) -> None:
    """Check the derivatives of the gradient of x.

    Args:
        subject: The implementation.
        before: The state before the call.
        drawn: The case, w and t.
        found: The derivatives of Σ t·dx for gamma, (D,), x and w, (N, D).
        evaluate: Whether the call evaluates.
    """
    case, w, t = drawn
    mode = is_evaluation(subject, evaluate=evaluate)
    limits = bounds.second_gradients(
        case.config, before, case.x, w, t, subject.conventions, evaluate=mode
    )
    expected = second_gradients(case.x, before.arrays(), case.config.eps, w, t, mode)
    when = "evaluation" if evaluate else "training"
    for name, value in zip(SECOND, found, strict=True):
        if name in subject.conventions.design.absent:
            continue
        what = f"the derivative of the gradient of x for {name} in {when}"
        check_within(what, as_array(what, value), np.asarray(expected[name]), getattr(limits, name))
