"""Takes gradients, and compares them with the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np

from conformance.adapters.protocols import PARAMETERS
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound, GradientBounds
from conformance.numerics.oracle import Gradient
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import Comparison, check_within, violation
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.session import as_array
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case
from conformance.strategies.cotangents import Pulled

GRADIENTS = ("gamma", "beta", "x")


def as_gradients(pulled: Sequence[Any]) -> dict[str, AnyArray]:
    """Return the gradients by the names of ``oracle.Gradient``.

    Args:
        pulled: The gradients of gamma and beta, (D,), and x, (N, D).
    """
    return {
        name: as_array(f"the gradient of {name}", value)
        for name, value in zip(GRADIENTS, pulled, strict=True)
    }


def gradients_of(
    layer: LayerHandle, x: Any, w: AnyArray, *, evaluate: bool, eager: bool = False
) -> dict[str, AnyArray]:
    """Pull a cotangent back through a call.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        evaluate: Whether the call evaluates.
        eager: Whether to run operation by operation, instead of the program compiled per shape.

    Returns:
        The gradients of gamma and beta, (D,), and x, (N, D), by name.
    """
    call = layer.keep("prepare_call", x, evaluate, label="taking the layer apart")
    name = "pull_back" if eager else "gradients"
    label = "differentiating the call" + " under jax.jit" * (not eager)
    answer = layer.session.request(name, call, w, label=label, accept=as_gradients)
    return {name: answer.array(itemgetter(name)) for name in GRADIENTS}


def expected_gradients(
    subject: Subject,
    before: State,
    case: Case,
    w: AnyArray,
    *,
    evaluate: bool,
    errors: tuple[Bound, Bound] | None = None,
) -> tuple[Gradient, GradientBounds]:
    """Return the gradients of Σ w·y, and their bounds.

    Args:
        subject: The implementation.
        before: The state before the call.
        case: The batch, (N, D), and the configuration.
        w: The cotangent of y, (N, D).
        evaluate: Whether the call evaluates.
        errors: The bounds for mean and variance, (D,), if not those of a single batch.
    """
    found = _gradients(subject, before, case, w, evaluate=evaluate, errors=errors)
    if not (absent := subject.conventions.design.absent.intersection(PARAMETERS)):
        return found
    infinite = Bound.of(np.full(case.config.features, np.inf))
    return found[0], replace(found[1], **dict.fromkeys(absent, infinite))


def _gradients(
    subject: Subject,
    before: State,
    case: Case,
    w: AnyArray,
    *,
    evaluate: bool,
    errors: tuple[Bound, Bound] | None,
) -> tuple[Gradient, GradientBounds]:
    """Return the gradients and bounds of all three, whether the layer has γ and β or not."""
    c = subject.conventions
    if (evaluate or c.always_evaluates()) and not c.always_trains():
        return (
            oracle.evaluation_gradient(case.config, before, case.x, w),
            bounds.evaluation_gradient(case.config, before, case.x, w),
        )
    if subject.conventions.normalises_with_average():
        return (
            oracle.averaged_gradient(case.config, before, case.x, w, subject.conventions),
            bounds.averaged_gradient(case.config, before, case.x, w, subject.conventions),
        )
    return (
        oracle.training_gradient(case.config, before, case.x, w),
        bounds.training_gradient(
            case.config, before, case.x, w, subject.conventions, errors=errors
        ),
    )


def check_gradient(
    name: str, got: dict[str, AnyArray], expected: tuple[Gradient, GradientBounds], when: str
) -> None:
    """Check one of the three gradients against the oracle.

    Args:
        name: gamma, beta or x.
        got: The computed gradients by name.
        expected: The exact gradients and their bounds.
        when: The mode of the call, for a violation.
    """
    wanted, bound = expected
    what = f"the gradient of {name} in {when}"
    check_within(what, got[name], getattr(wanted, name), getattr(bound, name))


def check_pulled(subject: Subject, drawn: Pulled, name: str, *, evaluate: bool) -> Iterator[None]:
    """Pull the cotangent of a case back through one call, and check one of the gradients.

    Args:
        subject: The implementation.
        drawn: The case, and the cotangent of y, (N, D).
        name: gamma, beta or x.
        evaluate: Whether the call evaluates.
    """
    layer, before, x = subject.start(drawn.case)
    got = gradients_of(layer, x, drawn.w, evaluate=evaluate, eager=drawn.eager)
    yield

    expected = expected_gradients(subject, before, drawn.case, drawn.w, evaluate=evaluate)
    check_gradient(name, got, expected, "evaluation" if evaluate else "training")


def check_present(found: dict[str, Any], names: Sequence[str]) -> dict[str, AnyArray]:
    """Return the gradients of gamma and beta that nnx.grad returned.

    Args:
        found: Gradients by name.
        names: Those of gamma and beta that the layer has.

    Raises:
        ViolationFound: One of them is absent.
    """
    for name in names:
        if name not in found:
            compared = Comparison("has", found, name)
            violation(f"the gradient of {name}", "absent", "a leaf of the gradients", compared)
    return {name: as_array(f"the gradient of {name}", found[name]) for name in names}
