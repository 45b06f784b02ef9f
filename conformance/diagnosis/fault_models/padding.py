"""Mistakes in the rows of zeros that give a batch a number of rows that blocks divide."""

from __future__ import annotations

# Steps accept every argument that the model passes.
# ruff: noqa: ARG005
from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, average, rearrange
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.fault_models.rows import BLOCKS
from conformance.diagnosis.reference_model import ReferenceModel

_var, _statistics = ReferenceModel.batch_var, ReferenceModel.statistics
_BLOCK = Parameter(BLOCKS, threshold=True)

_Steps = dict[str, Any]
_Size = Callable[[int], int]
"""The number of rows after padding."""


def _padded(x: Approximate, size: _Size) -> Approximate:
    """Return x, (N, D), with rows of zeros."""
    rows = x.shape[0]
    return rearrange(lambda a: np.pad(a, ((0, size(rows) - rows), (0, 0))), x)


def _grown(x: Approximate, size: _Size) -> float:
    """Return by what padding multiplies the number of rows."""
    return size(x.shape[0]) / x.shape[0]


def _counted(size: _Size) -> _Steps:
    return {"batch_var": lambda m, x, mean: _var(m, _padded(x, size), mean) * _grown(x, size)}


def _in_statistics(size: _Size) -> _Steps:
    return {"statistics": lambda m, x: _statistics(m, _padded(x, size))}


def _in_count(size: _Size) -> _Steps:
    return {
        "batch_mean": lambda m, x: average(x, 0)[0] / _grown(x, size),
        "batch_var": lambda m, x, mean: _var(m, x, mean) / _grown(x, size),
    }


def _to_power_of_two(rows: int) -> int:
    return 1 << (rows - 1).bit_length()


def _to_blocks(steps: Callable[[_Size], _Steps]) -> Callable[[float], _Steps]:
    """Return the steps with padding to a multiple of a number of rows."""
    return lambda block: steps(lambda rows: rows + -rows % int(block))


_MISTAKES = (
    (
        "padding-counted",
        "rows are padded with zeros to {}, and the padding counts in the variance",
        "v = (Σ(x−μ)² + padding·μ²)/N",
        "mask the padding before squaring",
        _counted,
    ),
    (
        "padding-in-statistics",
        "rows are padded with zeros to {}, and the padding counts in the statistics",
        "",
        "mask the padding, and divide by the number of rows without it",
        _in_statistics,
    ),
    (
        "padded-count",
        "sums are divided by the number of rows padded to {}",
        "",
        "divide by the number of rows without padding",
        _in_count,
    ),
)
for _name, _sentence, _formula, _remedy, _steps in _MISTAKES:
    alternative(
        _name,
        _sentence.format("a power of two"),
        _formula,
        remedy=_remedy,
        **_steps(_to_power_of_two),
    )
    family(
        f"block-{_name}",
        _sentence.format("a multiple of {c}"),
        _BLOCK,
        _to_blocks(_steps),
        formula=_formula,
        remedy=_remedy,
        needs=2,
    )
