"""Mistakes in the choice of statistics in each mode, and in evaluation."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG001, ARG005, PLW0108
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, absolute, average, exact, root, where
from conformance.diagnosis.fault_model import alternative
from conformance.diagnosis.formulas import unbiased
from conformance.diagnosis.reference_model import ReferenceModel

_train, _evaluate, _statistics = (
    ReferenceModel.train_step,
    ReferenceModel.evaluate,
    ReferenceModel.statistics,
)
_update = ReferenceModel.update

alternative(
    "modes-exchanged",
    "the flag is read the other way round: True trains",
    remedy="use_running_average=True evaluates",
    convention="PyTorch, Keras and Haiku name the flag after training; pass its negation.",
    evaluates=lambda m, flag: not flag >= 0.5,
)
alternative(
    "always-trains", "the flag is ignored: every call trains", evaluates=lambda m, flag: False
)
alternative(
    "always-evaluates", "the flag is ignored: no call trains", evaluates=lambda m, flag: True
)
alternative(
    "flag-is-true",
    "only the object True evaluates; 1 and np.True_ train",
    remedy="compare the flag by value",
    evaluates=lambda m, flag: flag is True,
)
alternative(
    "flag-is-not-false",
    "everything but the object False evaluates, 0 and np.False_ as well",
    evaluates=lambda m, flag: flag is not False,
)
alternative(
    "normalizes-with-running",
    "training normalises with the running statistics from before the update",
    remedy="normalise with the batch in training",
    training_statistics=lambda m, x, mean, var: (m.running_mean, m.running_var),
)


def _with_updated(m: ReferenceModel, x: Approximate) -> Approximate:
    _train(m, x)
    return m.output(x, m.running_mean, m.running_var)


alternative(
    "normalizes-with-updated",
    "training normalises with the freshly updated running statistics",
    remedy="normalise with the batch in training",
    convention="Equinox's mode 'ema' does so.",
    train_step=_with_updated,
)


def _halves(mean_from: str, var_from: str) -> Any:
    def used(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> Any:
        moved = m.moved_mean(m.running_mean, mean), m.moved_var(m.running_var, var)
        means = {"batch": mean, "running": m.running_mean, "updated": moved[0]}
        variances = {"batch": var, "running": m.running_var, "updated": moved[1]}
        return means[mean_from], variances[var_from]

    return used


for _source, _words in (("running", "running"), ("updated", "freshly updated running")):
    alternative(
        f"{_source}-mean-in-training",
        f"training subtracts the {_words} mean",
        training_statistics=_halves(_source, "batch"),
    )
    alternative(
        f"{_source}-variance-in-training",
        f"training divides by the {_words} variance",
        training_statistics=_halves("batch", _source),
    )


def _update_after(m: ReferenceModel, x: Approximate) -> Approximate:
    y = _evaluate(m, x)
    _update(m, x, *m.statistics(x))
    return y


def _update_before(m: ReferenceModel, x: Approximate) -> Approximate:
    _update(m, x, *m.statistics(x))
    return _evaluate(m, x)


def _update_mean(m: ReferenceModel, x: Approximate) -> Approximate:
    y = _evaluate(m, x)
    m.running_mean = m.moved_mean(m.running_mean, m.batch_mean(x))
    return y


def _update_var(m: ReferenceModel, x: Approximate) -> Approximate:
    y = _evaluate(m, x)
    m.running_var = m.moved_var(m.running_var, m.statistics(x)[1])
    return y


_LEAVE = "leave the running statistics alone in evaluation"
alternative(
    "evaluation-updates",
    "evaluation moves the running statistics",
    remedy=_LEAVE,
    evaluate=_update_after,
)
alternative(
    "evaluation-updates-first",
    "evaluation moves the running statistics before it uses them",
    remedy=_LEAVE,
    evaluate=_update_before,
)
alternative("evaluation-updates-mean", "evaluation moves the running mean", evaluate=_update_mean)
alternative(
    "evaluation-updates-variance", "evaluation moves the running variance", evaluate=_update_var
)


def _forgets(m: ReferenceModel, x: Approximate) -> Approximate:
    y = _evaluate(m, x)
    m.write({**m.initial_state(), "gamma": m.gamma, "beta": m.beta})
    return y


alternative("evaluation-resets", "evaluation resets the running statistics", evaluate=_forgets)

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
