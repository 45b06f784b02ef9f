"""Mistakes in the choice of the mode, and of the statistics in training; updates in evaluation."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG001, ARG005
from typing import Any

from conformance.diagnosis.approximate import Approximate
from conformance.diagnosis.fault_model import alternative
from conformance.diagnosis.reference_model import ReferenceModel

_train, _evaluate = ReferenceModel.train_step, ReferenceModel.evaluate

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
    "either-flag-evaluates",
    "the argument False does not train after module.eval()",
    "evaluates = argument or attribute",
    remedy="use the attribute only if the argument is None",
    needs=2,
    evaluates=lambda m, flag: flag >= 0.5 or bool(m.mode),
)
alternative(
    "both-flags-evaluate",
    "the argument True does not evaluate after module.train()",
    "evaluates = argument and attribute",
    remedy="use the attribute only if the argument is None",
    needs=2,
    evaluates=lambda m, flag: flag >= 0.5 and m.mode is not False,
)
alternative(
    "mode-of-the-module-wins",
    "the mode that module.eval() or module.train() sets overrides the argument",
    "evaluates = attribute",
    remedy="use the attribute only if the argument is None",
    needs=2,
    evaluates=lambda m, flag: flag >= 0.5 if m.mode is None else m.mode,
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
    m.update(x, *m.stored_statistics(x, *m.statistics(x)))
    return y


def _update_before(m: ReferenceModel, x: Approximate) -> Approximate:
    m.update(x, *m.stored_statistics(x, *m.statistics(x)))
    return _evaluate(m, x)


def _update_mean(m: ReferenceModel, x: Approximate) -> Approximate:
    y = _evaluate(m, x)
    m.running_mean = m.moved_mean(m.running_mean, m.batch_mean(x))
    return y


def _update_var(m: ReferenceModel, x: Approximate) -> Approximate:
    y = _evaluate(m, x)
    m.running_var = m.moved_var(m.running_var, m.stored_statistics(x, *m.statistics(x))[1])
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
