"""Evaluation that keeps stale values, or mixes in batch statistics."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG001, ARG005
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, exact, maximum, minimum
from conformance.diagnosis.fault_model import ANY_SIZE, Parameter, alternative, family
from conformance.diagnosis.reference_model import ReferenceModel
from conformance.numerics.bounds import U

_train, _evaluate, _statistics = (
    ReferenceModel.train_step,
    ReferenceModel.evaluate,
    ReferenceModel.statistics,
)
_LEAVE = "leave the running statistics alone in evaluation"


def _frozen(m: ReferenceModel, array: str) -> Approximate:
    kept: Approximate = m.memory.setdefault(f"first {array}", getattr(m, array))
    return kept


def _keeping(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> Any:
    m.memory["of the batch"] = mean, var
    return mean, var


alternative(
    "evaluation-after-training",
    "after a training call, evaluation normalises with the statistics of that batch",
    remedy="evaluate with the running statistics as they are",
    remembers=True,
    training_statistics=_keeping,
    evaluation_statistics=lambda m, x: m.memory.get(
        "of the batch", (m.running_mean, m.running_var)
    ),
)
alternative(
    "evaluation-uses-last-batch-or-nothing",
    "evaluation normalises with the statistics of the last training batch, or with 0 and 1",
    remedy="evaluate with the running statistics as they are",
    remembers=True,
    training_statistics=_keeping,
    evaluation_statistics=lambda m, x: m.memory.get("of the batch", _zero_and_one(x)),
)


def _zero_and_one(x: Approximate) -> Any:
    features = x.shape[1]
    return Approximate(np.zeros(features)), Approximate(np.ones(features))


def _debiased(m: ReferenceModel, x: Approximate) -> Any:
    kept = m.momentum**m.calls
    if kept == 1:
        return m.running_mean, m.running_var
    weight = exact(1.0) - Approximate(kept, (m.calls + 4) * U * kept)
    return m.running_mean / weight, m.running_var / weight


def _undefined(m: ReferenceModel) -> Any:
    return m.running_mean * float("nan"), m.running_var * float("nan")


for _suffix, _guarded in (("", True), ("-nan", False)):
    alternative(
        f"evaluation-debiases{_suffix}",
        "evaluation divides both running statistics by 1 − momentum^calls"
        + ("" if _guarded else ", even if momentum is 1"),
        "rm/(1−m^t), rv/(1−m^t)",
        remedy="use the running statistics as they are: they start at 0 and 1, not both at 0",
        convention="Haiku's ExponentialMovingAverage and Adam correct for a start at zero.",
        evaluation_statistics=lambda m, x, guarded=_guarded: (
            _debiased(m, x) if guarded or m.momentum != 1 or not m.calls else _undefined(m)
        ),
    )
alternative(
    "captured-at-first-evaluation",
    "evaluation uses the statistics of its first call",
    remedy="compute what evaluation uses in each evaluation, or anew after each update",
    remembers=True,
    evaluation_statistics=lambda m, x: (_frozen(m, "running_mean"), _frozen(m, "running_var")),
)
alternative(
    "evaluation-keeps-first-variance",
    "evaluation uses the running variance of its first call, as a cache does that nothing "
    "invalidates",
    remedy="compute 1/√(v+ε) in each evaluation, or anew after each update",
    remembers=True,
    evaluation_statistics=lambda m, x: (m.running_mean, _frozen(m, "running_var")),
)


def _training_keeps(*, before: bool) -> Any:
    """Return a training step that remembers the running statistics before or after its update."""

    def step(m: ReferenceModel, x: Approximate) -> Approximate:
        old = m.running_mean, m.running_var
        y = _train(m, x)
        m.memory["kept"] = old if before else (m.running_mean, m.running_var)
        return y

    return step


def _kept_by_training(*, mean_too: bool) -> Any:
    def step(m: ReferenceModel, x: Approximate) -> Any:
        mean, var = m.memory.get("kept", _zero_and_one(x))
        return (mean if mean_too else m.running_mean), var

    return step


for _name in ("statistics", "variance"):
    alternative(
        f"evaluation-lags-{_name}",
        f"evaluation uses the running {_name} from before the last training call",
        remedy="update first, and compute what evaluation uses afterwards",
        remembers=True,
        train_step=_training_keeps(before=True),
        evaluation_statistics=_kept_by_training(mean_too=_name == "statistics"),
    )
    alternative(
        f"evaluation-keeps-trained-{_name}",
        f"evaluation uses the running {_name} that the last training call left, whatever has been "
        "written since",
        remedy="compute what evaluation uses from the running statistics in each evaluation, as "
        "they may be replaced",
        convention="What a training call caches is right for as long as nothing else writes.",
        remembers=True,
        train_step=_training_keeps(before=False),
        evaluation_statistics=_kept_by_training(mean_too=_name == "statistics"),
    )


def _folded(m: ReferenceModel, x: Approximate) -> Approximate:
    """Evaluate with the first computed values of γ/√(rv+ε) and β − rm·γ/√(rv+ε)."""
    for array in ("gamma", "beta", "running_mean", "running_var"):
        m.memory.setdefault(f"folded {array}", getattr(m, array))
    before = m.read()
    m.write({array: m.memory[f"folded {array}"] for array in before})
    y = _evaluate(m, x)
    m.write(before)
    return y


def _unfolded(m: ReferenceModel, x: Approximate) -> Approximate:
    for array in ("gamma", "beta", "running_mean", "running_var"):
        m.memory.pop(f"folded {array}", None)
    return _train(m, x)


_REFOLD = "fold again whenever the state changes, or do not fold"
alternative(
    "folded-once",
    "evaluation uses scale and shift that were folded at its first call and never renewed",
    remedy=_REFOLD,
    remembers=True,
    evaluate=_folded,
)
alternative(
    "folded-until-training",
    "evaluation uses folded scale and shift that only training renews",
    remedy=_REFOLD,
    remembers=True,
    evaluate=_folded,
    train_step=_unfolded,
)


def _root_kept(key: str) -> Any:
    """Return a step that reuses the running variance for as long as an array does not change."""

    def evaluated(m: ReferenceModel, x: Approximate) -> Any:
        now = getattr(m, key).value
        if "key" not in m.memory or not np.array_equal(m.memory["key"], now):
            m.memory["key"], m.memory["var"] = now, m.running_var
        return m.running_mean, m.memory["var"]

    return evaluated


alternative(
    "root-kept-with-mean",
    "evaluation keeps the inverse root for as long as the running mean does not change",
    remedy="renew it whenever the running variance changes",
    remembers=True,
    needs=2,
    evaluation_statistics=_root_kept("running_mean"),
)


def _mean_kept(m: ReferenceModel, x: Approximate) -> Any:
    now = m.running_var.value
    if "key" not in m.memory or not np.array_equal(m.memory["key"], now):
        m.memory["key"], m.memory["mean"] = now, m.running_mean
    return m.memory["mean"], m.running_var


alternative(
    "mean-kept-with-variance",
    "evaluation keeps the running mean for as long as the running variance does not change",
    remembers=True,
    needs=2,
    evaluation_statistics=_mean_kept,
)


def _adds_eps(m: ReferenceModel, x: Approximate) -> Approximate:
    y = ReferenceModel.evaluate(m, x)
    m.running_var = m.running_var + m.eps
    return y


alternative(
    "evaluation-adds-eps",
    "evaluation writes the running variance back with ε in it",
    remedy=_LEAVE,
    evaluate=_adds_eps,
)
family(
    "stored-variance-floor",
    "evaluation raises running variances below {c} to it",
    ANY_SIZE,
    lambda c: {"evaluation_statistics": lambda m, x: (m.running_mean, maximum(m.running_var, c))},
    formula="max(rv, c)",
    remedy="let ε alone keep the root from zero",
    needs=2,
)
family(
    "stored-variance-cap",
    "evaluation cuts running variances above {c} to it",
    ANY_SIZE,
    lambda c: {"evaluation_statistics": lambda m, x: (m.running_mean, minimum(m.running_var, c))},
    formula="min(rv, c)",
    needs=2,
)
alternative(
    "stored-variance-floor-eps",
    "evaluation raises running variances below ε to it",
    evaluation_statistics=lambda m, x: (m.running_mean, maximum(m.running_var, m.eps)),
    needs=2,
)


def _blended(m: ReferenceModel, x: Approximate, share: float) -> Any:
    mean, var = _statistics(m, x)
    kept = 1 - share
    return kept * m.running_mean + share * mean, kept * m.running_var + share * var


_SHARES = Parameter((1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99))
family(
    "evaluation-recentres",
    "evaluation moves the mean it subtracts by {c} towards that of its batch",
    _SHARES,
    lambda c: {
        "evaluation_statistics": lambda m, x: (
            (1 - c) * m.running_mean + c * m.batch_mean(x),
            m.running_var,
        )
    },
    formula="(1−c)·rm + c·mean(x)",
    remedy="evaluate with the running statistics alone",
)
family(
    "evaluation-rescales",
    "evaluation moves the variance it uses by {c} towards that of its batch",
    _SHARES,
    lambda c: {
        "evaluation_statistics": lambda m, x: (
            m.running_mean,
            (1 - c) * m.running_var + c * _statistics(m, x)[1],
        )
    },
    formula="(1−c)·rv + c·var(x)",
)
family(
    "evaluation-blends",
    "evaluation moves the statistics it uses by {c} towards those of its batch",
    _SHARES,
    lambda c: {"evaluation_statistics": lambda m, x: _blended(m, x, c)},
    formula="(1−c)·running + c·batch",
    remedy="evaluate with the running statistics alone",
    convention="Test-time adaptation blends on purpose.",
)
family(
    "output-recentres",
    "the input is shifted by {c} of the distance between its mean and the mean subtracted",
    _SHARES,
    lambda c: {
        "output": lambda m, x, mean, var: ReferenceModel.output(
            m, x - c * (ReferenceModel.batch_mean(m, x) - mean), mean, var
        )
    },
    formula="x − c·(mean(x) − mean)",
)
