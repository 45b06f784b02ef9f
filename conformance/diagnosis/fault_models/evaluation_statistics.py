"""Mistakes in the statistics with which evaluation normalizes."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005, PLW0108
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, absolute, average, exact, root, where
from conformance.diagnosis.fault_model import alternative
from conformance.diagnosis.formulas import unbiased
from conformance.diagnosis.reference_model import ReferenceModel

_statistics = ReferenceModel.statistics

_EVALUATED = {
    "evaluation-uses-batch": (
        "evaluation normalises with the batch",
        lambda m, x: _statistics(m, x),
    ),
    "evaluation-uses-batch-mean": (
        "evaluation subtracts the mean of the batch",
        lambda m, x: (m.batch_mean(x), m.running_var),
    ),
    "evaluation-uses-batch-variance": (
        "evaluation divides by the variance of the batch",
        lambda m, x: (m.running_mean, _statistics(m, x)[1]),
    ),
    "captured-at-construction": (
        "evaluation uses the statistics that were there at construction",
        lambda m, x: (m.initial_state()["running_mean"], m.initial_state()["running_var"]),
    ),
    "mean-captured-at-construction": (
        "evaluation uses the running mean that was there at construction",
        lambda m, x: (m.initial_state()["running_mean"], m.running_var),
    ),
    "variance-captured-at-construction": (
        "evaluation uses the running variance that was there at construction",
        lambda m, x: (m.running_mean, m.initial_state()["running_var"]),
    ),
    "evaluation-exchanged": (
        "evaluation exchanges running mean and running variance",
        lambda m, x: (m.running_var, m.running_mean),
    ),
    "evaluation-takes-std": (
        "evaluation takes the running variance as a standard deviation",
        lambda m, x: (m.running_mean, m.running_var * m.running_var),
    ),
    "evaluation-roots-twice": (
        "evaluation roots the running variance before it adds ε",
        lambda m, x: (m.running_mean, root(m.running_var)),
    ),
    "evaluation-unbiased": (
        "evaluation multiplies the running variance by N/(N−1) of its batch",
        lambda m, x: (m.running_mean, unbiased(m.running_var, x.shape[0])),
    ),
    "evaluation-absolute": (
        "evaluation takes the absolute running variance",
        lambda m, x: (m.running_mean, absolute(m.running_var)),
    ),
    "evaluation-mean-negated": (
        "evaluation adds the running mean instead of subtracting it",
        lambda m, x: (-m.running_mean, m.running_var),
    ),
    "evaluation-mean-absolute": (
        "evaluation takes the absolute running mean",
        lambda m, x: (absolute(m.running_mean), m.running_var),
    ),
    "zero-mean-is-uninitialised": (
        "evaluation takes a running mean of exactly zero as 'no statistics yet' and uses the batch",
        lambda m, x: _instead(m, x, m.running_mean.value == 0),
    ),
    "unit-variance-is-uninitialised": (
        "evaluation takes a running variance of exactly one as 'no statistics yet'",
        lambda m, x: _instead(m, x, m.running_var.value == 1),
    ),
    "zero-variance-is-uninitialised": (
        "evaluation takes a running variance of exactly zero as 'no statistics yet'",
        lambda m, x: _instead(m, x, m.running_var.value == 0),
    ),
    "fresh-is-uninitialised": (
        "evaluation takes running statistics as constructed as 'no statistics yet'",
        lambda m, x: _instead(m, x, (m.running_mean.value == 0) & (m.running_var.value == 1)),
    ),
    "zero-variance-is-of-the-batch": (
        "evaluation replaces a running variance of exactly zero by that of the batch",
        lambda m, x: (
            m.running_mean,
            where(m.running_var.value == 0, _statistics(m, x)[1], m.running_var),
        ),
    ),
    "zero-variance-is-one": (
        "evaluation takes a running variance of zero as one",
        lambda m, x: (m.running_mean, where(m.running_var.value == 0, 1.0, m.running_var)),
    ),
    "evaluation-variance-averaged": (
        "evaluation takes one running variance for all features",
        lambda m, x: (m.running_mean, average(m.running_var) + exact(np.zeros(x.shape[1]))),
    ),
    "evaluation-debiased-mean": (
        "evaluation divides the running mean by 1 − m",
        lambda m, x: (m.running_mean / (1 - m.momentum), m.running_var),
    ),
    "evaluation-debiased": (
        "evaluation divides the running statistics by 1 − m^k",
        lambda m, x: _debiased(m),
    ),
}


def _instead(m: ReferenceModel, x: Approximate, fresh: Any) -> Any:
    mean, var = _statistics(m, x)
    return where(fresh, mean, m.running_mean), where(fresh, var, m.running_var)


def _debiased(m: ReferenceModel) -> Any:
    share = 1 - m.momentum ** max(m.calls, 1)
    return m.running_mean / share, m.running_var / share


for _name, (_words, _function) in _EVALUATED.items():
    alternative(
        _name,
        _words,
        remedy="evaluate with the running statistics as they are",
        evaluation_statistics=_function,
        needs=2,
    )
