"""Derivatives that no requirement covers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from conformance.adapters.operations.values import Ref
from conformance.numerics.state import AnyArray
from conformance.properties.observations.calling import CONFIG, Raised, attempt, build_layer
from conformance.properties.support.differentiation import expected_gradients
from conformance.properties.support.property import requirement
from conformance.properties.support.sample_data import STATE, X
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case

_W = np.array([[1, -2, 0], [0, 1, 3], [2, 2, -1], [-1, 0, 1]], np.float32)
_T = np.array([[1, 0, 2], [-1, 1, 0], [0, 2, 1], [1, -1, -1]], np.float32)
"""A cotangent and a tangent."""

_STEP = 1e-4


def _prepare(subject: Subject) -> Ref:
    """Return a training call that JAX can differentiate."""
    return build_layer(subject).keep("prepare_call", X, False, label="taking the layer apart")


def _expected(subject: Subject, x: AnyArray) -> AnyArray:
    """Return the gradient of Σ w·y by the oracle, (N, D)."""
    return expected_gradients(subject, STATE, Case(CONFIG, STATE, x), _W, evaluate=False)[0].x


def _agrees(found: Any, expected: Any) -> str:
    if isinstance(found, Raised):
        return str(found)
    right = np.allclose(np.asarray(found), expected, rtol=1e-3, atol=1e-3)
    return "right" if right else "works, with wrong numbers"


@requirement("BN-GRAD-14")
def forward_mode(subject: Subject) -> str:
    """Σ w·(J t) = Σ (Jᵀ w)·t"""
    call, ask = _prepare(subject), subject.session.ask
    moved = attempt(lambda: ask("push_forward", call, X, _T, label="jax.jvp"))
    found = moved if isinstance(moved, Raised) else (moved * _W).sum()
    return f"jax.jvp of a training call: {_agrees(found, (_expected(subject, X) * _T).sum())}"


@requirement("BN-GRAD-15")
def second_derivatives(subject: Subject) -> str:
    """H t, by reverse over reverse and by forward over reverse"""
    call, ask = _prepare(subject), subject.session.ask
    ahead, behind = (_expected(subject, X.astype(np.float64) + s * _T) for s in (_STEP, -_STEP))
    expected = (ahead - behind) / (2 * _STEP)

    def differentiate(mode: str) -> Any:
        arguments = call, X, _W, _T, mode == "forward"
        return ask("differentiate_twice", *arguments, label=f"{mode} over reverse")

    answers = {
        mode: _agrees(attempt(partial(differentiate, mode)), expected)
        for mode in ("reverse", "forward")
    }
    if len(set(answers.values())) == 1:
        return f"both orders: {answers['reverse']}"
    return "; ".join(f"{mode} over reverse: {words}" for mode, words in answers.items())
