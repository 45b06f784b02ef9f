"""One value stands where another one belongs, and terms that were folded lack a factor."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from collections.abc import Callable

from conformance.diagnosis.approximate import Approximate, average, maximum
from conformance.diagnosis.fault_model import alternative
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


def _in_one_pass(x: Approximate, subtracted: Approximate, *, floored: bool) -> Approximate:
    var = average(x * x, 0)[0] - subtracted
    return maximum(var, 0.0) if floored else var


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
_Subtracted = Callable[[Approximate, Approximate], Approximate]
_ONE_PASS: dict[str, tuple[str, str, _Subtracted]] = {
    "mean-not-squared": (
        "the mean, not its square, is subtracted",
        "v = mean(x²) − μ",
        lambda x, mean: mean,
    ),
    "mean-squared-added": (
        "the square of the mean is added",
        "v = mean(x²) + μ²",
        lambda x, mean: -(mean * mean),
    ),
    "sum-squared": (
        "the square of the sum is divided by N once",
        "v = mean(x²) − N·μ²",
        lambda x, mean: float(x.shape[0]) * (mean * mean),
    ),
}
for _name, (_words, _formula, _subtracted) in _ONE_PASS.items():
    for _floored in (False, True)[: 1 if _name == "mean-squared-added" else 2]:  # never negative
        alternative(
            f"{_name}{'-floored' * _floored}",
            f"{_words} in the variance in one pass" + ", which is cut at zero" * _floored,
            _formula,
            remedy="v = mean(x²) − μ², or better two passes, mean((x−μ)²)",
            batch_var=lambda m, x, mean, term=_subtracted, floored=_floored: _in_one_pass(
                x, term(x, mean), floored=floored
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
