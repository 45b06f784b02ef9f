"""Mistakes in the batch variance."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
import numpy as np

from conformance.diagnosis.approximate import (
    Approximate,
    Float64,
    absolute,
    average,
    maximum,
    minimum,
    root,
)
from conformance.diagnosis.fault_model import ANY_SIZE, Parameter, alternative, family
from conformance.diagnosis.formulas import mean_square, unbiased
from conformance.diagnosis.reference_model import ReferenceModel

_var = ReferenceModel.batch_var


def undefined(var: Approximate, rows: int) -> Approximate:
    """Return v·N/(N−1), (D,), which is 0/0 for a single row."""
    return var * (rows / (rows - 1.0)) if rows > 1 else var * float("nan")


def _largest(x: Approximate) -> Float64:
    """Return the largest |x| of each feature, (D,), or 1 if all are 0."""
    largest: Float64 = np.abs(x.value).max(axis=0, initial=0.0)
    return np.where(largest > 0, largest, 1.0)


def _rows(x: Approximate) -> float:
    return float(x.shape[0])


def _deviation(m: ReferenceModel, x: Approximate, mean: Approximate) -> Approximate:
    del m
    return average(absolute(x - mean), 0)[0]


for _id, _power, _words in (
    ("variance-rescaled-once", 1, "is multiplied by max |x| instead of its square"),
    ("variance-not-rescaled", 2, "is not multiplied by the square of max |x|"),
):
    alternative(
        _id,
        f"the variance of rows that are divided by max |x| {_words}",
        remedy="multiply it by the square of what the rows were divided by",
        batch_var=lambda m, x, mean, power=_power: _var(m, x, mean) / _largest(x) ** power,
    )

for _suffix, _bessel, _words in (
    ("", unbiased, ""),
    ("-nan", undefined, ", which is not a number where N = 1"),
):
    alternative(
        f"unbiased-variance{_suffix}",
        f"the batch variance is divided by N−1, for normalising and for the running variance"
        f"{_words}",
        "v = Σ(x−μ)²/(N−1)",
        remedy="divide by N: ddof=0",
        batch_var=lambda m, x, mean, bessel=_bessel: bessel(_var(m, x, mean), x.shape[0]),
    )
    alternative(
        f"unbiased-normalization{_suffix}",
        f"the batch is normalised with the unbiased variance, N/(N−1){_words}",
        "y = γ·(x−μ)/√(v·N/(N−1)+ε) + β",
        remedy="normalise with the biased variance: ddof=0",
        training_statistics=lambda m, x, mean, var, bessel=_bessel: (mean, bessel(var, x.shape[0])),
    )
    alternative(
        f"unbiased-running{_suffix}",
        f"the running variance follows the unbiased variance, N/(N−1){_words}",
        "rv' = m·rv + (1−m)·v·N/(N−1)",
        remedy="average the biased variance",
        convention=(
            "PyTorch, MLX, tinygrad and fused TensorFlow do so. If you mean it, declare "
            "Deviation.UNBIASED_RUNNING_VARIANCE."
        ),
        stored_statistics=lambda m, x, mean, var, bessel=_bessel: (mean, bessel(var, x.shape[0])),
    )
    alternative(
        f"pytorch-running{_suffix}",
        f"momentum is the weight of the new value, and the running variance is unbiased{_words}",
        "rv' = (1−m)·rv + m·v·N/(N−1)",
        remedy="pass 1−momentum and average the biased variance",
        convention=(
            "PyTorch, MLX and tinygrad do both. If you mean it, declare "
            "Deviation.MOMENTUM_OF_NEW_VALUE and Deviation.UNBIASED_RUNNING_VARIANCE."
        ),
        stored_statistics=lambda m, x, mean, var, bessel=_bessel: (mean, bessel(var, x.shape[0])),
        weight_of_old=lambda m: 1 - m.momentum,
    )
alternative(
    "uncentred-variance",
    "the variance is not centred: it is the mean of the squares",
    "v = mean(x²)",
    remedy="subtract the mean before squaring",
    batch_var=lambda m, x, mean: mean_square(x),
)
alternative(
    "rms-norm",
    "nothing is centred: mean 0 and the mean of the squares",
    "y = γ·x/√(mean(x²)+ε) + β",
    convention="That is RMSNorm, taken over the batch.",
    training_statistics=lambda m, x, mean, var: (mean * 0.0, mean_square(x)),
)
alternative(
    "mean-deviation",
    "the mean absolute deviation is used as the variance",
    "v = mean|x−μ|",
    batch_var=_deviation,
)
alternative(
    "mean-deviation-squared",
    "the squared mean absolute deviation is used as the variance",
    batch_var=lambda m, x, mean: _deviation(m, x, mean) * _deviation(m, x, mean),
)
alternative(
    "std-for-variance",
    "the standard deviation is used as the variance",
    "v = σ",
    batch_var=lambda m, x, mean: root(_var(m, x, mean)),
)
alternative(
    "variance-squared",
    "the variance is squared",
    batch_var=lambda m, x, mean: _var(m, x, mean) * _var(m, x, mean),
)
alternative(
    "sum-for-variance",
    "the sum of squares is used as the variance: the division by N is missing",
    "v = Σ(x−μ)²",
    batch_var=lambda m, x, mean: _var(m, x, mean) * _rows(x),
)
alternative(
    "variance-by-features",
    "the sum of squares is divided by D instead of N",
    batch_var=lambda m, x, mean: _var(m, x, mean) * (_rows(x) / x.shape[1]),
)
alternative(
    "variance-plus-one",
    "the sum of squares is divided by N+1",
    batch_var=lambda m, x, mean: _var(m, x, mean) * (_rows(x) / (_rows(x) + 1)),
)
alternative(
    "variance-over-n-minus-2",
    "the sum of squares is divided by N−2",
    batch_var=lambda m, x, mean: _var(m, x, mean) * (_rows(x) / max(_rows(x) - 2, 1)),
)
alternative(
    "batch-variance-around-running-mean",
    "the variance is centred on the running mean",
    "v = mean((x−rm)²)",
    remedy="centre on the batch mean",
    batch_var=lambda m, x, mean: _var(m, x, m.running_mean),
)
alternative(
    "one-pass-variance",
    "the variance is computed in one pass, as E[x²] − E[x]², which loses digits where the mean "
    "is large",
    "v = mean(x²) − μ²",
    remedy="use two passes, mean((x−μ)²)",
    convention=(
        "flax does so by default (use_fast_variance=True), and so does Haiku. If you mean it, "
        "declare Deviation.ONE_PASS_VARIANCE."
    ),
    widens=True,
    needs=1,
)
family(
    "variance-floor",
    "variances below {c} are raised to it",
    ANY_SIZE,
    lambda c: {"inverse_std": lambda m, var: ReferenceModel.inverse_std(m, maximum(var, c))},
    formula="max(v, c)",
    remedy="let ε alone keep the root from zero",
    needs=2,
)
family(
    "variance-cap",
    "variances above {c} are cut to it",
    ANY_SIZE,
    lambda c: {"inverse_std": lambda m, var: ReferenceModel.inverse_std(m, minimum(var, c))},
    formula="min(v, c)",
    remedy="take the variance as it is",
    needs=2,
)
family(
    "batch-variance-floor",
    "batch variances below {c} are raised to it, in normalising and in storing",
    ANY_SIZE,
    lambda c: {"batch_var": lambda m, x, mean: maximum(_var(m, x, mean), c)},
    formula="max(v, c)",
    needs=2,
)
family(
    "batch-variance-cap",
    "batch variances above {c} are cut to it, in normalising and in storing",
    ANY_SIZE,
    lambda c: {"batch_var": lambda m, x, mean: minimum(_var(m, x, mean), c)},
    formula="min(v, c)",
    needs=2,
)
family(
    "variance-added",
    "{c} is added to the batch variance",
    ANY_SIZE,
    lambda c: {"batch_var": lambda m, x, mean: _var(m, x, mean) + c},
    formula="v + c",
)
family(
    "variance-scaled",
    "the batch variance is {c} times what it should be",
    Parameter((1e-3, 0.01, 0.1, 0.5, 0.9, 0.999, 0.99999, 1.00001, 1.001, 1.1, 2, 10, 1e3)),
    lambda c: {"batch_var": lambda m, x, mean: _var(m, x, mean) * c},
    formula="c·v",
)
