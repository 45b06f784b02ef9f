"""AFF and EPS: gamma, beta and epsilon."""

from __future__ import annotations

import numpy as np

from conformance.numerics.state import Float32
from conformance.properties.support.claims import check_evaluation, check_training
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import Rewritten, cases, rewritten_cases
from conformance.strategies.targeted import cases_near_eps

_SIZES = np.array([0, 1, -1, 0.5, -2, 12, -40, 1e3, -1e4, 1e-3, 1e-6, 1.001], np.float32)
_SHORTCUTS = ((1, None), (None, 0), (0, None), (None, 1))


def set_gain_and_offset(
    features: int, gain: int, offset: int, uniform: int
) -> tuple[Float32, Float32]:
    """Return gamma and beta, both (D,), of all sizes and signs, starting from the given places."""
    index = np.arange(features)
    gamma = _SIZES[(gain + 5 * index) % len(_SIZES)]
    beta = _SIZES[(offset + 7 * index) % len(_SIZES)]
    if uniform < len(_SHORTCUTS):  # what a layer may take as "there is nothing to do"
        fixed_gamma, fixed_beta = _SHORTCUTS[uniform]
        gamma = gamma if fixed_gamma is None else np.full_like(gamma, fixed_gamma)
        beta = beta if fixed_beta is None else np.full_like(beta, fixed_beta)
    return gamma, beta


@requirement(
    "BN-AFF-1",
    case=cases,
    gain=lambda _: integers(0, len(_SIZES) - 1),
    offset=lambda _: integers(0, len(_SIZES) - 1),
    uniform=lambda _: integers(0, 7),
)
def gamma_and_beta_act_per_feature(
    subject: Subject, case: Case, gain: int, offset: int, uniform: int
) -> None:
    """y_j = γ_j·z_j + β_j, in both modes"""
    layer, before, x = subject.start(case)
    gamma, beta = set_gain_and_offset(case.config.features, gain, offset, uniform)
    layer.write(before.replace(gamma=gamma, beta=beta))

    check_evaluation(layer, case, x)
    check_training(subject, layer, layer.usable_state, case, x)


@requirement("BN-AFF-2", share=0.3, drawn=rewritten_cases, training=lambda _: integers(0, 1))
def a_change_from_outside_is_seen(subject: Subject, drawn: Rewritten, training: int) -> None:
    """call, change γ and β, call: the second result follows the change"""
    case, other = drawn
    layer, _, x = subject.start(case)
    layer.call(x, not training)
    layer.write(layer.usable_state.replace(gamma=other.gamma, beta=other.beta))
    expected = layer.usable_state.replace(gamma=other.gamma, beta=other.beta)

    if training:
        check_training(subject, layer, expected, case, x)
    else:
        check_evaluation(layer, case, x)


@requirement("BN-EPS-1", share=0.7, case=cases_near_eps)
def eps_is_added_once_inside_the_root(subject: Subject, case: Case) -> None:
    """1/√(v+ε), in both modes, where v is about ε or far below"""
    layer, before, x = subject.start(case)

    check_evaluation(layer, case, x)
    check_training(subject, layer, before, case, x)
