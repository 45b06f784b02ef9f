"""One value stands where another one belongs, and terms that were folded lack a factor."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from collections.abc import Callable

import numpy as np

from conformance.diagnosis.approximate import Approximate, average, exact, maximum, total
from conformance.diagnosis.fault_model import alternative
from conformance.diagnosis.formulas import mean_square
from conformance.diagnosis.reference_model import ReferenceModel

_REMEDY = "running = momentum·running + (1−momentum)·batch"
_moved = ReferenceModel.moved


def _update_variance_from_the_new_mean(
    m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate
) -> None:
    """Move the running variance from where the running mean has just been moved to."""
    del x
    m.running_mean = _moved(m, m.running_mean, mean)
    m.running_var = _moved(m, m.running_mean, var)


def _undefined_for_one_row(x: Approximate) -> Approximate:
    """Return Σx²/(N−1), (D,): infinite for a single row, or not a number, and surely so."""
    if x.shape[0] > 1:
        return total(x * x, 0)[0] / (x.shape[0] - 1.0)
    return exact(np.where(x.value[0] == 0, np.nan, np.inf))


alternative(
    "variance-from-running-mean",
    "the running variance is moved from the running mean",
    "rv' = m·rm + (1−m)·v",
    remedy=_REMEDY,
    moved_var=lambda m, old, new: _moved(m, m.running_mean, new),
)
alternative(
    "variance-from-moved-mean",
    "the running variance is moved from the running mean, which was moved before",
    "rv' = m·rm' + (1−m)·v",
    remedy=_REMEDY,
    update=_update_variance_from_the_new_mean,
)
alternative(
    "mean-from-running-variance",
    "the running mean is moved from the running variance",
    "rm' = m·rv + (1−m)·μ",
    remedy=_REMEDY,
    moved_mean=lambda m, old, new: _moved(m, m.running_var, new),
)
alternative(
    "variance-step-from-running-mean",
    "the running variance is moved by the distance of the batch variance from the running mean",
    "rv' = rv − (1−m)·(rm − v)",
    remedy=_REMEDY,
    moved_var=lambda m, old, new: old - (1 - m.momentum) * (m.running_mean - new),
)
alternative(
    "mean-step-from-running-variance",
    "the running mean is moved by the distance of the batch mean from the running variance",
    "rm' = rm − (1−m)·(rv − μ)",
    remedy=_REMEDY,
    moved_mean=lambda m, old, new: old - (1 - m.momentum) * (m.running_var - new),
)
_OnePass = Callable[[ReferenceModel, Approximate, Approximate], Approximate]
_ONE_PASS: dict[str, tuple[str, str, _OnePass]] = {
    "mean-not-squared": (
        "the mean, not its square, is subtracted",
        "v = mean(x²) − μ",
        lambda m, x, mean: mean_square(x) - mean,
    ),
    "mean-squared-added": (
        "the square of the mean is added",
        "v = mean(x²) + μ²",
        lambda m, x, mean: mean_square(x) + mean * mean,
    ),
    "sum-squared": (
        "the square of the sum is divided by N once",
        "v = mean(x²) − N·μ²",
        lambda m, x, mean: mean_square(x) - float(x.shape[0]) * (mean * mean),
    ),
    "shifted-second-moment": (
        "the square of the mean of x is subtracted from the squares of x minus its first row",
        "v = mean((x−x₀)²) − μ²",
        lambda m, x, mean: mean_square(x - x[0]) - mean * mean,
    ),
    "second-moment-around-running-mean": (
        "the square of the mean of x is subtracted from the squares of x minus the running mean",
        "v = mean((x−rm)²) − μ²",
        lambda m, x, mean: mean_square(x - m.running_mean) - mean * mean,
    ),
    "second-moment-unbiased": (
        "the sum of squares is divided by N−1",
        "v = Σx²/(N−1) − μ²",
        lambda m, x, mean: _undefined_for_one_row(x) - mean * mean,
    ),
    "second-moment-unbiased-if-possible": (
        "the sum of squares is divided by max(N−1, 1)",
        "v = Σx²/max(N−1, 1) − μ²",
        lambda m, x, mean: total(x * x, 0)[0] / max(x.shape[0] - 1.0, 1.0) - mean * mean,
    ),
}
_MEANS = {
    "second-moment-around-running-mean": lambda m, x: (
        m.running_mean + average(x - m.running_mean, 0)[0]
    )
}
"""The mean where it is computed less accurately on the way to the variance."""

_NEVER_NEGATIVE = {
    *("mean-squared-added", "second-moment-unbiased", "second-moment-unbiased-if-possible")
}
for _name, (_words, _formula, _one_pass) in _ONE_PASS.items():
    for _floored in (False, True)[: 1 if _name in _NEVER_NEGATIVE else 2]:
        alternative(
            f"{_name}{'-floored' * _floored}",
            f"{_words} in the variance in one pass" + ", which is cut at zero" * _floored,
            _formula,
            remedy="v = mean(x²) − μ², or better two passes, mean((x−μ)²)",
            batch_mean=_MEANS.get(_name, ReferenceModel.batch_mean),
            batch_var=lambda m, x, mean, step=_one_pass, floored=_floored: (
                maximum(step(m, x, mean), 0.0) if floored else step(m, x, mean)
            ),
        )


def _welford_with_old_means(x: Approximate, *, from_first: bool) -> Approximate:
    """Return the mean of (x_k − μ_k₋₁)², (D,), where μ_k₋₁ is the mean of the rows before.

    ``from_first``: the first row is the first mean; else that is 0.
    """
    squares, mean = [], x[0] if from_first else exact(np.zeros(x.shape[1]))
    for count in range(x.shape[0]):
        delta = x[count] - mean
        squares.append(delta * delta)
        mean = mean + delta / (count + 1.0)
    return sum(squares[1:], start=squares[0]) / float(x.shape[0])


for _from_first in (False, True):
    alternative(
        "welford-with-old-means" + "-from-first-row" * _from_first,
        "Welford's sum takes the distance from the mean before each row twice"
        + ", and starts with the first row" * _from_first,
        "v = mean((x_k−μ_k₋₁)²)",
        remedy="multiply the distance from the mean before a row by that from the mean after it",
        batch_var=lambda m, x, mean, first=_from_first: _welford_with_old_means(
            x, from_first=first
        ),
    )
alternative(
    "momentum-and-eps-exchanged",
    "momentum and ε are exchanged",
    remedy="pass each by its name",
    weight_of_old=lambda m: m.eps,
    epsilon=lambda m: m.momentum,
)

_Fold = Callable[[ReferenceModel, Approximate, Approximate], Approximate]
_FOLDS: dict[str, tuple[str, str, _Fold]] = {
    "folded-shift-without-root": (
        "the folded shift lacks 1/√(v+ε)",
        "y = γ·r·x + (β − γ·μ)",
        lambda m, mean, r: m.beta - m.gamma * mean,
    ),
    "folded-shift-without-gamma": (
        "the folded shift lacks γ",
        "y = γ·r·x + (β − r·μ)",
        lambda m, mean, r: m.beta - r * mean,
    ),
    "folded-shift-without-both": (
        "the folded shift is β − μ, without γ/√(v+ε)",
        "y = γ·r·x + (β − μ)",
        lambda m, mean, r: m.beta - mean,
    ),
    "folded-shift-sign": (
        "the folded shift has the mean added",
        "y = γ·r·x + (β + γ·r·μ)",
        lambda m, mean, r: m.beta + m.gamma * r * mean,
    ),
    "folded-shift-scaled": (
        "β is multiplied by γ/√(v+ε) as well",
        "y = γ·r·(x − μ + β)",
        lambda m, mean, r: m.gamma * r * (m.beta - mean),
    ),
    "folded-shift-by-all-gains": (
        "the folded shift has each mean multiplied by the sum of all γ/√(v+ε)",
        "y = γ·r·x + (β − μ·Σγ·r)",
        lambda m, mean, r: m.beta - mean * total(m.gamma * r, 0),
    ),
    "folded-shift-of-all-features": (
        "the folded shift has the sum over all features of γ·μ/√(v+ε)",
        "y = γ·r·x + (β − Σγ·r·μ)",
        lambda m, mean, r: m.beta - total(m.gamma * r * mean, 0),
    ),
}


def _output(shift: _Fold) -> Callable[..., Approximate]:
    def folded(
        m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate
    ) -> Approximate:
        r = m.inverse_std(var)
        return x * (m.gamma * r) + shift(m, mean, r)

    return folded


for _name, (_words, _formula, _shift) in _FOLDS.items():
    alternative(_name, _words, _formula, remedy="y = γ·r·x + (β − γ·r·μ)", output=_output(_shift))
