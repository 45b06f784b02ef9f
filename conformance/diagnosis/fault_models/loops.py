"""Loops over rows, or over blocks of rows, that take one too often or do not reach the last."""

from __future__ import annotations

from collections.abc import Callable

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from conformance.diagnosis.approximate import Approximate, total
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.fault_models.rows import BLOCKS
from conformance.diagnosis.model_state import Steps
from conformance.diagnosis.reference_model import Pair, ReferenceModel

_mean, _var = ReferenceModel.batch_mean, ReferenceModel.batch_var


def _divided(summed: Approximate, x: Approximate) -> Approximate:
    return total(summed, 0)[0] / float(x.shape[0])


def _once_more(x: Approximate, at: int, *, one_pass: bool) -> Pair:
    """Return the batch statistics if a row counts twice in the sums, and N is right."""
    again = x[at]
    mean = _divided(x, x) + again / float(x.shape[0])
    if one_pass:
        squares = _divided(x * x, x) + again * again / float(x.shape[0])
        return mean, squares - mean * mean
    rest = again - mean
    return mean, _divided((x - mean) * (x - mean), x) + rest * rest / float(x.shape[0])


def _repeated(x: Approximate, at: int) -> Pair:
    """Return the batch statistics of all rows and one of them once more."""
    count = float(x.shape[0] + 1)
    mean = (total(x, 0)[0] + x[at]) / count
    rest = x[at] - mean
    return mean, (total((x - mean) * (x - mean), 0)[0] + rest * rest) / count


for _name, _at in (("first", 0), ("last", -1)):
    for _suffix, _pass in (("", False), ("-in-one-pass", True)):
        alternative(
            f"{_name}-row-counted-twice{_suffix}",
            f"the {_name} row counts twice in the sums of the batch statistics",
            remedy="start with zeros, or with the row after it",
            statistics=lambda m, x, at=_at, one=_pass: _once_more(x, at, one_pass=one),
        )
    alternative(
        f"{_name}-row-repeated",
        f"the {_name} row is there twice in the batch statistics, which are those of N+1 rows",
        remedy="start with zeros, or with the row after it",
        statistics=lambda m, x, at=_at: _repeated(x, at),
    )
    alternative(
        f"{_name}-row-counted-twice-in-mean",
        f"the {_name} row counts twice in the sum for the mean",
        remedy="start with zeros, or with the row after it",
        batch_mean=lambda m, x, at=_at: _mean(m, x) + x[at] / float(x.shape[0]),
    )
    alternative(
        f"{_name}-row-counted-twice-in-variance",
        f"the {_name} row counts twice in the sum of squares",
        remedy="start with zeros, or with the row after it",
        batch_var=lambda m, x, mean, at=_at: (
            _var(m, x, mean) + (x[at] - mean) * (x[at] - mean) / float(x.shape[0])
        ),
    )


def _of_full_blocks(*steps: str) -> Callable[[float], Steps]:
    """Return steps whose sums end with the last full block, and are divided by N all the same."""

    def replaced(block: float) -> Steps:
        both: Steps = {
            "batch_mean": lambda m, x: _divided(_full(x, block), x),
            "batch_var": lambda m, x, mean: _divided(_full((x - mean) * (x - mean), block), x),
        }
        return {f"batch_{step}": both[f"batch_{step}"] for step in steps}

    return replaced


def _full(rows: Approximate, block: float) -> Approximate:
    return rows[: int(rows.shape[0] // block * block)]


for _steps, _words in (
    (("mean", "var"), "the batch statistics"),
    (("mean",), "the mean"),
    (("var",), "the variance"),
):
    family(
        f"tail-not-summed-{'-and-'.join(_steps)}",
        f"the sums of {_words} end with the last full block of {{c}} rows, and are divided by N",
        Parameter((2, *BLOCKS), threshold=True),
        _of_full_blocks(*_steps),
        remedy="handle the ragged last block",
        needs=1,
    )
