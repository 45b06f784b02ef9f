"""Takes gradients, and compares them with the oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from flax import nnx

from conformance.adapters.nnx import NnxLayer, train
from conformance.adapters.nnx_gradients import NnxCall
from conformance.adapters.protocols import PARAMETERS, Differentiable, DifferentiableCall
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound, GradientBounds
from conformance.numerics.oracle import Gradient
from conformance.numerics.state import State
from conformance.properties.support.checks import check_within, violation
from conformance.properties.support.claims import check_trained
from conformance.properties.support.layer_handle import AnyArray, LayerHandle, as_numpy, calling
from conformance.properties.support.nnx_state import path_of
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case
from conformance.strategies.cotangents import Pulled

GRADIENTS = ("gamma", "beta", "x")


def call_of(layer: LayerHandle, x: Any, *, evaluate: bool) -> DifferentiableCall:
    """Return the call of a layer in its present state, to be differentiated.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        evaluate: Whether the call evaluates.
    """
    with calling("taking the layer apart"):
        if hasattr(layer.layer, "call"):
            return cast("Differentiable", layer.layer).call(x, evaluate=evaluate)
        return NnxCall.of(cast("NnxLayer", layer.layer), x, evaluate=evaluate)


def as_gradients(pulled: tuple[Any, ...]) -> dict[str, AnyArray]:
    """Copy the gradients by the names of ``oracle.Gradient``.

    Args:
        pulled: The gradients of gamma and beta, (D,), and x, (N, D).
    """
    return {
        name: as_numpy(f"the gradient of {name}", value)
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
    call = call_of(layer, x, evaluate=evaluate)
    with calling("differentiating the call" + " under jax.jit" * (not eager)):
        return as_gradients(call.pullback()(w) if eager else call.gradients(w))


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
    if evaluate:
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


def check_pulled(subject: Subject, drawn: Pulled, name: str, *, evaluate: bool) -> None:
    """Pull the cotangent of a case back through one call, and check one of the gradients.

    Args:
        subject: The implementation.
        drawn: The case, and the cotangent of y, (N, D).
        name: gamma, beta or x.
        evaluate: Whether the call evaluates.
    """
    layer, before, x = subject.start(drawn.case)
    got = gradients_of(layer, x, drawn.w, evaluate=evaluate, eager=drawn.eager)

    expected = expected_gradients(subject, before, drawn.case, drawn.w, evaluate=evaluate)
    check_gradient(name, got, expected, "evaluation" if evaluate else "training")


def of_params(layer: LayerHandle, gradients: Any) -> dict[str, AnyArray]:
    """Return the gradients of gamma and beta that nnx.grad returned, by the suite's names.

    Args:
        layer: The layer that was differentiated.
        gradients: The state that nnx.grad returned.

    Raises:
        ViolationFound: One of them is absent.
    """
    found = dict(nnx.to_flat_state(gradients))
    for name in PARAMETERS:
        if path_of(layer, name) not in found:
            violation(f"the gradient of {name}", "absent", "a leaf of the gradients")
    return {n: as_numpy(f"the gradient of {n}", found[path_of(layer, n)]) for n in PARAMETERS}


def check_one_update(subject: Subject, layer: LayerHandle, before: State, case: Case) -> None:
    """Check that the running statistics have moved by one batch.

    Args:
        subject: The implementation.
        layer: The layer after the call.
        before: Its state before the call, four arrays of (D,).
        case: The batch, (N, D), and the configuration.
    """
    check_trained(subject, case, before, None, layer.state)


def loss(module: Any, x: Any, w: Any) -> Any:
    """Return Σ w·y of a training call."""
    return (w * train(module, x)).sum()


def _value_and_grad(module: Any, x: Any, w: Any) -> Any:
    return nnx.value_and_grad(loss)(module, x, w)


def value_and_grad_of_params(module: Any, x: Any, w: Any) -> Any:
    """Return Σ w·y of a training call, and its gradients for nnx.Param; not compiled."""
    return nnx.value_and_grad(loss, argnums=nnx.DiffState(0, nnx.Param))(module, x, w)


value_and_grad: Callable[[Any, Any, Any], Any] = nnx.jit(_value_and_grad)
"""Return Σ w·y of a training call, and its gradients; compiled, as training steps are."""
