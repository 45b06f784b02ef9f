"""Derivatives that no requirement covers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.diagnosis.behaviours.behaviour import NotObserved, behaviour
from conformance.diagnosis.behaviours.calling import CONFIG, Raised, attempt, build_layer
from conformance.diagnosis.sample_data import STATE, X
from conformance.numerics.state import AnyArray
from conformance.properties.support.differentiation import expected_gradients
from conformance.properties.support.subject import Subject
from conformance.requirements import Capability
from conformance.strategies.case import Case

_W = np.array([[1, -2, 0], [0, 1, 3], [2, 2, -1], [-1, 0, 1]], np.float32)
_T = np.array([[1, 0, 2], [-1, 1, 0], [0, 2, 1], [1, -1, -1]], np.float32)
"""A cotangent and a tangent."""

_STEP = 1e-4


def _output_of(subject: Subject) -> Callable[[Any], Any]:
    """Return y of a training call as a function of x that JAX can trace."""
    if Capability.GRAD not in subject.implementation.capabilities:
        msg = "JAX does not differentiate its calls"
        raise NotObserved(msg)
    layer = build_layer(subject)
    ref = layer.keep("prepare_call", X, False, label="taking the layer apart")
    call = subject.session.live(ref)
    output = getattr(call, "output", None)
    if output is None:
        msg = "its gradients are not taken by JAX"
        raise NotObserved(msg)
    return output  # type: ignore[no-any-return]


def _expected(subject: Subject, x: AnyArray) -> AnyArray:
    """Return the gradient of Σ w·y by the oracle, (N, D)."""
    return expected_gradients(subject, STATE, Case(CONFIG, STATE, x), _W, evaluate=False)[0].x


def _agrees(found: Any, expected: Any) -> str:
    if isinstance(found, Raised):
        return str(found)
    right = np.allclose(np.asarray(found), expected, rtol=1e-3, atol=1e-3)
    return "right" if right else "works, with wrong numbers"


@behaviour("forward-mode", "Does forward-mode differentiation (jax.jvp) work?")
def forward_mode(subject: Subject) -> str:
    """Σ w·(J t) = Σ (Jᵀ w)·t"""
    import jax  # noqa: PLC0415  only layers of JAX are differentiated

    output = _output_of(subject)
    moved = attempt("jax.jvp", lambda: jax.jvp(output, (X,), (_T,))[1])
    found = moved if isinstance(moved, Raised) else (moved * _W).sum()
    return f"jax.jvp of a training call: {_agrees(found, (_expected(subject, X) * _T).sum())}"


@behaviour("second-derivatives", "Do second derivatives work?")
def second_derivatives(subject: Subject) -> str:
    """H t, by reverse over reverse and by forward over reverse"""
    import jax  # noqa: PLC0415

    output = _output_of(subject)
    gradient = jax.grad(lambda x: (output(x) * _W).sum())
    ahead, behind = (_expected(subject, X.astype(np.float64) + s * _T) for s in (_STEP, -_STEP))
    expected = (ahead - behind) / (2 * _STEP)
    answers = {}
    for name, pushed in {
        "reverse over reverse": lambda: jax.grad(lambda x: (gradient(x) * _T).sum())(X),
        "forward over reverse": lambda: jax.jvp(gradient, (X,), (_T,))[1],
    }.items():
        answers[name] = _agrees(attempt(name, pushed), expected)
    if len(set(answers.values())) == 1:
        return f"both orders: {answers['reverse over reverse']}"
    return "; ".join(f"{name}: {words}" for name, words in answers.items())
