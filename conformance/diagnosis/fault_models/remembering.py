"""Mistakes that depend on earlier batches, or on how the state is stored."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG001
from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, map_values, maximum, minimum
from conformance.diagnosis.fault_model import (
    ANY_SIZE,
    Parameter,
    alternative,
    each_statistic,
    family,
)
from conformance.diagnosis.model_state import Steps
from conformance.diagnosis.reference_model import ReferenceModel
from conformance.diagnosis.rounding import rounded_to

_moved, _update = ReferenceModel.moved, ReferenceModel.update


def _repeat_skipped(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> None:
    """Skip a batch that equals the previous one and is passed in the same container."""
    last, now = m.memory.get("x"), (m.container == "jax", x.shape, x.value.tobytes())
    m.memory["x"] = now
    if last != now:
        _update(m, x, mean, var)


alternative(
    "repeats-skipped",
    "a batch equal to the one before does not update",
    remembers=True,
    update=_repeat_skipped,
)


def _lagging(*, from_fresh: bool) -> Any:
    """Return a step that uses the statistics of the previous batch.

    ``from_fresh``: the first batch uses 0 and 1 instead of its statistics.
    """

    def step(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> Any:
        fresh = Approximate(np.zeros(mean.shape)), Approximate(np.ones(var.shape))
        last: Any = m.memory.get("statistics", fresh if from_fresh else (mean, var))
        m.memory["statistics"] = (mean, var)
        return last

    return step


alternative(
    "lagging-stored",
    "the running statistics follow the batch before",
    remembers=True,
    stored_statistics=_lagging(from_fresh=False),
)
alternative(
    "lagging-from-fresh-stored",
    "the running statistics follow the batch before, and 0 and 1 at first",
    remembers=True,
    stored_statistics=_lagging(from_fresh=True),
)
alternative(
    "lagging-used",
    "training normalises with the statistics of the batch before",
    remembers=True,
    training_statistics=_lagging(from_fresh=False),
)


def _first_statistics(m: ReferenceModel, x: Approximate) -> Approximate:
    kept: Approximate = m.memory.setdefault("first", ReferenceModel.batch_mean(m, x))
    return kept


alternative(
    "mean-of-first-batch",
    "the batch mean of the first batch is kept for all later ones",
    remembers=True,
    batch_mean=_first_statistics,
)

_UNIT = {"bfloat16": 2.0**-7, "float16": 2.0**-10}


def _in_low_precision(
    m: ReferenceModel, old: Approximate, new: Approximate, kind: str
) -> Approximate:
    """Return one step of the average; m·old may also be rounded to the format of the state."""
    moved: Approximate = _moved(m, old, new)
    more = np.abs(m.momentum * old.value) * _UNIT.get(kind, 0.0)
    return Approximate(moved.value, moved.error + np.where(np.isfinite(more), more, 0))


for _kind in ("bfloat16", "float16", "2", "3", "6"):
    _name = _kind if "float" in _kind else f"{_kind} decimals"
    for _which, _subject in (
        ("", "running statistics are"),
        ("mean", "the running mean is"),
        ("variance", "the running variance is"),
    ):
        alternative(
            f"stored-{_which}-{_kind}" if _which else f"state-{_kind}",
            f"{_subject} stored rounded to {_name}",
            remedy="keep the state in float32",
            **each_statistic(
                _which,
                lambda m, old, new, k=_kind: map_values(
                    rounded_to(k), _in_low_precision(m, old, new, k)
                ),
            ),
        )


def _limits_of(which: str, subject: str) -> None:
    family(
        f"stored-{which}-at-least",
        f"the {subject} is raised to {{c}} where it would become smaller",
        ANY_SIZE,
        lambda c: each_statistic(which, lambda m, old, new: maximum(_moved(m, old, new), c)),
        needs=2,
    )
    family(
        f"stored-{which}-at-most",
        f"the {subject} is cut to {{c}} where it would become larger",
        ANY_SIZE,
        lambda c: each_statistic(which, lambda m, old, new: minimum(_moved(m, old, new), c)),
        needs=2,
    )


for _which, _subject in (("mean", "running mean"), ("variance", "running variance")):
    _limits_of(_which, _subject)
alternative(
    "stored-at-least-eps",
    "the running variance is raised to ε where it would become smaller",
    moved_var=lambda m, old, new: maximum(_moved(m, old, new), m.eps),
    needs=2,
)
_FACTORS = Parameter(
    (0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 1.00001, 1.0001, 1.001, 1.1, 2, 10)
)


def _scaling(array: str) -> Callable[[float], Steps]:
    def scaled(c: float) -> Steps:
        def update(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> None:
            _update(m, x, mean, var)
            setattr(m, array, c * getattr(m, array))

        return {"update": update}

    return scaled


for _array, _letter in (("gamma", "γ"), ("beta", "β")):
    family(
        f"training-scales-{_array}",
        f"a training call multiplies {_letter} by {{c}} before it is used",
        _FACTORS,
        _scaling(_array),
        remedy="leave γ and β to the optimiser",
    )
