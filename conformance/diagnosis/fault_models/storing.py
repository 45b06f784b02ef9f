"""Mistakes in the values stored as running statistics."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from conformance.diagnosis.approximate import Approximate, average, root
from conformance.diagnosis.fault_model import alternative
from conformance.diagnosis.formulas import add_eps, mean_square
from conformance.diagnosis.reference_model import Pair, ReferenceModel

_moved, _update, _var = ReferenceModel.moved, ReferenceModel.update, ReferenceModel.batch_var


def _inverted(var: Approximate, rows: int) -> Approximate:
    """Return v·(N−1)/N, (D,); unchanged for a single row."""
    return var * ((rows - 1.0) / rows) if rows > 1 else var


alternative(
    "std-stored",
    "the running variance follows the standard deviation",
    "rv' = m·rv + (1−m)·√v",
    remedy="store the variance",
    stored_statistics=lambda m, x, mean, var: (mean, root(var)),
)
alternative(
    "std-with-eps-stored",
    "the running variance follows √(v+ε)",
    stored_statistics=lambda m, x, mean, var: (mean, root(add_eps(var, m.eps))),
)
alternative(
    "inverse-std-stored",
    "the running variance follows 1/√(v+ε)",
    stored_statistics=lambda m, x, mean, var: (mean, m.inverse_std(var)),
)
alternative(
    "precision-stored",
    "the running variance follows 1/(v+ε)",
    stored_statistics=lambda m, x, mean, var: (mean, 1 / add_eps(var, m.eps)),
)
alternative(
    "eps-stored",
    "ε is added to the variance that is stored",
    "rv' = m·rv + (1−m)·(v+ε)",
    remedy="store the variance without ε",
    stored_statistics=lambda m, x, mean, var: (mean, add_eps(var, m.eps)),
)
alternative(
    "bessel-inverted-stored",
    "the variance that is stored is multiplied by (N−1)/N where N/(N−1) makes it unbiased",
    "rv' = m·rv + (1−m)·v·(N−1)/N",
    remedy="store the biased variance as it is",
    stored_statistics=lambda m, x, mean, var: (mean, _inverted(var, x.shape[0])),
)
alternative(
    "bessel-inverted",
    "the batch variance is multiplied by (N−1)/N where N/(N−1) makes it unbiased",
    "v·(N−1)/N",
    remedy="divide by N alone",
    batch_var=lambda m, x, mean: _inverted(_var(m, x, mean), x.shape[0]),
)
alternative(
    "variance-squared-stored",
    "the running variance follows the squared variance",
    stored_statistics=lambda m, x, mean, var: (mean, var * var),
)
alternative(
    "uncentred-stored",
    "the running variance follows the mean of the squares",
    "rv' = m·rv + (1−m)·mean(x²)",
    stored_statistics=lambda m, x, mean, var: (mean, mean_square(x)),
)
alternative(
    "variance-around-running-mean",
    "the variance that is stored is centred on the running mean",
    "mean((x−rm)²)",
    remedy="centre on the batch mean",
    stored_statistics=lambda m, x, mean, var: (mean, _var(m, x, m.running_mean)),
)
alternative(
    "stored-around-updated-mean",
    "the variance that is stored is centred on the updated running mean",
    "mean((x−rm')²)",
    remedy="centre on the batch mean",
    stored_statistics=lambda m, x, mean, var: (
        mean,
        _var(m, x, m.moved_mean(m.running_mean, mean)),
    ),
)
alternative(
    "stored-exchanged",
    "the mean is stored as the variance, and the variance as the mean",
    stored_statistics=lambda m, x, mean, var: (var, mean),
)
alternative(
    "mean-stored-twice",
    "the mean is stored as the variance, too",
    stored_statistics=lambda m, x, mean, var: (mean, mean),
)
alternative(
    "sum-stored",
    "the running mean follows the sum of the batch",
    stored_statistics=lambda m, x, mean, var: (mean * float(x.shape[0]), var),
)
alternative(
    "sums-stored",
    "the running variance follows the sum of squares",
    stored_statistics=lambda m, x, mean, var: (mean, var * float(x.shape[0])),
)


def _of_z(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> Pair:
    return _moments(m.normalized(x, mean, var))


def _of_y(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> Pair:
    return _moments(m.affine(m.normalized(x, mean, var)))


def _moments(values: Approximate) -> Pair:
    center = average(values, 0)[0]
    return center, average((values - center) * (values - center), 0)[0]


alternative("normalised-stored", "the statistics of z are stored", stored_statistics=_of_z)
alternative("output-stored", "the statistics of y are stored", stored_statistics=_of_y)


def _exchanged(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> None:
    _update(m, x, mean, var)
    m.running_mean, m.running_var = m.running_var, m.running_mean


alternative(
    "written-exchanged", "each running statistic is written into the other", update=_exchanged
)


def _square(a: Approximate) -> Approximate:
    return a * a


alternative(
    "averaged-as-std",
    "the running variance is averaged as a standard deviation and squared again",
    "rv' = (m·√rv + (1−m)·√v)²",
    remedy="average the variance",
    moved_var=lambda m, old, new: _square(_moved(m, root(old), root(new))),
)
alternative(
    "centred-mean-stored",
    "the running mean follows the mean of the centred batch, which is zero",
    "rm' = m·rm",
    stored_statistics=lambda m, x, mean, var: (average(x - mean, 0)[0], var),
)


def _total_variance(m: ReferenceModel, old: Approximate, new: Approximate) -> Approximate:
    gap = m.memory["mean"] - m.memory["old mean"]
    total: Approximate = _moved(m, old, new) + m.momentum * (1 - m.momentum) * gap * gap
    return total


def _remembering(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> None:
    m.memory["mean"], m.memory["old mean"] = mean, m.running_mean
    _update(m, x, mean, var)


alternative(
    "total-variance",
    "the distance of the means is added to the running variance",
    "rv' = m·rv + (1−m)·v + m·(1−m)·(μ−rm)²",
    convention="That is the variance of a mixture, not the average that BatchNorm keeps.",
    update=_remembering,
    moved_var=_total_variance,
)
alternative(
    "output-mean-stored",
    "the running mean follows the mean of the output",
    stored_statistics=lambda m, x, mean, var: (_of_y(m, x, mean, var)[0], var),
)
alternative(
    "normalised-mean-stored",
    "the running mean follows the mean of z",
    stored_statistics=lambda m, x, mean, var: (_of_z(m, x, mean, var)[0], var),
)
