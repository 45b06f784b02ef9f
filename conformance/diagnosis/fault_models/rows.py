"""Mistakes in the rows counted, and foreign values mixed into the batch statistics."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG001, ARG005
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64, exact, total, where
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.reference_model import Pair, ReferenceModel

_mean, _var = ReferenceModel.batch_mean, ReferenceModel.batch_var
BLOCKS = (4, 8, 16, 32, 64, 100, 128, 256, 500, 512, 1000, 1024)


def _full_blocks(x: Approximate, block: float) -> Approximate:
    full = int(x.shape[0] // block * block)
    return x[: full or None]


def _of(rows: Any, *steps: str) -> dict[str, Any]:
    """Return steps that compute the statistics from only some of the rows."""
    replaced = {
        "mean": lambda m, x: _mean(m, rows(x)),
        "var": lambda m, x, mean: _var(m, rows(x), mean),
    }
    return {f"batch_{step}": replaced[step] for step in steps}


_BLOCK = Parameter(BLOCKS, threshold=True)
_COUNT = Parameter((1, 2, 3, 4, 5, 6, 8, 10, 16, 32, 64, 100, 128, 256, 512, 1000, 1024), True)


def _families_of(step: str, words: str) -> None:
    family(
        f"first-rows-only-{step}",
        f"the {words} comes from the first {{c}} rows",
        _COUNT,
        lambda c: _of(lambda x: x[: int(c)], step),
        needs=1,
    )
    family(
        f"tail-left-out-of-{step}",
        f"rows beyond the last full block of {{c}} do not count for the {words}",
        _BLOCK,
        lambda c: _of(lambda x: _full_blocks(x, c), step),
        remedy="handle the ragged last block",
        needs=1,
    )


for _step, _words in (("mean", "mean"), ("var", "variance")):
    _families_of(_step, _words)
family(
    "first-rows-only",
    "the batch statistics come from the first {c} rows",
    _COUNT,
    lambda c: _of(lambda x: x[: int(c)], "mean", "var"),
    needs=1,
)
family(
    "tail-left-out",
    "rows beyond the last full block of {c} do not count in the batch statistics",
    _BLOCK,
    lambda c: _of(lambda x: _full_blocks(x, c), "mean", "var"),
    remedy="handle the ragged last block",
    needs=1,
)


def _weighted(x: Approximate, weight: Float64) -> tuple[Approximate, Approximate]:
    """Return mean and variance, (D,) each, with weights, (N, 1) or (N, D), that add up to one."""
    mean = total(x * weight, 0)[0]
    return mean, total((x - mean) * (x - mean) * weight, 0)[0]


def _each_row_once(x: Approximate) -> tuple[Approximate, Approximate]:
    equal = (x.value[:, None] == x.value[None]).all(axis=2)
    weight = 1 / equal.sum(axis=1, keepdims=True)
    return _weighted(x, weight / weight.sum())


def _without_outliers(
    m: ReferenceModel, x: Approximate, limit: float
) -> tuple[Approximate, Approximate]:
    mean, var = ReferenceModel.statistics(m, x)
    near = np.square(x.value - mean.value) <= limit**2 * var.value
    return _weighted(x, near / np.maximum(near.sum(axis=0), 1))


def _without_zero_rows(m: ReferenceModel, x: Approximate) -> tuple[Approximate, Approximate]:
    kept = (x.value != 0).any(axis=1, keepdims=True)
    mean = total(x * kept, 0)[0] / float(max(kept.sum(), 1))
    return mean, total((x - mean) * (x - mean) * kept, 0)[0] / float(max(kept.sum(), 1))


alternative(
    "zero-rows-left-out",
    "rows of zeros do not count in the batch statistics",
    remedy="count every row: there is no mask",
    needs=1,
    statistics=_without_zero_rows,
)
alternative(
    "duplicates-once",
    "equal rows count once in the batch statistics",
    remedy="count every row",
    needs=2,
    statistics=lambda m, x: _each_row_once(x),
)
family(
    "outliers-left-out",
    "values more than {c} standard deviations away do not count in the batch statistics",
    Parameter((2, 2.5, 3, 4, 5, 6, 8, 10), threshold=True),
    lambda c: {"statistics": lambda m, x: _without_outliers(m, x, c)},
    remedy="count every row",
    needs=1,
)
alternative(
    "integers-floored",
    "the mean of features that hold integers is cut to an integer",
    remedy="convert to float before dividing",
    batch_mean=lambda m, x: where(
        (x.value == np.round(x.value)).all(axis=0),
        exact(np.floor(ReferenceModel.batch_mean(m, x).value)),
        ReferenceModel.batch_mean(m, x),
    ),
)


def _blended(share: float, *, mean: bool = False, var: bool = False) -> dict[str, Any]:
    """Return a step that mixes a share of the running statistics into those of the batch."""

    def used(m: ReferenceModel, x: Approximate, mu: Approximate, v: Approximate) -> Pair:
        return (
            (1 - share) * mu + share * m.running_mean if mean else mu,
            (1 - share) * v + share * m.running_var if var else v,
        )

    return {"training_statistics": used}


_SHARES = Parameter((1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999))
family(
    "mean-blended",
    "training subtracts the batch mean with {c} of the running mean in it",
    _SHARES,
    lambda c: _blended(c, mean=True),
    formula="(1−c)·μ + c·rm",
    remedy="subtract the batch mean alone",
)
family(
    "var-blended",
    "training divides by the batch variance with {c} of the running variance in it",
    _SHARES,
    lambda c: _blended(c, var=True),
    formula="(1−c)·v + c·rv",
)
family(
    "statistics-blended",
    "training normalises with batch statistics that have {c} of the running ones in them",
    _SHARES,
    lambda c: _blended(c, mean=True, var=True),
    formula="(1−c)·batch + c·running",
    convention="Batch Renormalization and some streaming variants blend on purpose.",
)
