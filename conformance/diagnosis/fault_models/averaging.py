"""Mistakes in the running statistics."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import average, exact, maximum, minimum, where
from conformance.diagnosis.fault_model import alternative, each_statistic
from conformance.diagnosis.model_state import Step
from conformance.diagnosis.reference_model import ReferenceModel

_moved = ReferenceModel.moved
_TEXT = "running = momentum·running + (1−momentum)·batch"

_IDS = {("never-falls", "variance"): "variance-never-falls"}
"""The id of a mistake that is also a fault in the gallery."""


def _way(name: str, words: str, moved: Step, **about: Any) -> None:
    """Register a way to update both running statistics, and to update only one of them that way.

    Args:
        name: The id of the first; the others append their statistic.
        words: What is wrong, without the subject.
        moved: Receives the model, the old and the new value.
        **about: Formula, convention and needs, as for ``alternative``.
    """
    for which, subject in (
        ("", "each running statistic"),
        ("mean", "the running mean"),
        ("variance", "the running variance"),
    ):
        of = f", for {subject}" if which else ""
        is_clause = words.startswith("momentum is")
        alternative(
            _IDS.get((name, which), f"{name}-{which}" if which else name),
            f"{words}{of}" if is_clause else f"{subject} {words}",
            remedy=_TEXT,
            **each_statistic(which, moved),
            **about,
        )


_way(
    "momentum-of-the-new",
    "momentum is the weight of the new value",
    lambda m, old, new: _moved(m, old, new, 1 - m.momentum),
    formula="(1−m)·old + m·new",
    convention=(
        "PyTorch, MLX and tinygrad mean it so. Pass 1−momentum in an adapter's build, or declare "
        "Deviation.MOMENTUM_OF_NEW_VALUE."
    ),
)
_way("never-stored", "is never updated", lambda m, old, new: old, formula="old")
_way(
    "overwritten",
    "is overwritten by the batch: momentum is not used",
    lambda m, old, new: new,
    formula="new",
)
_way(
    "not-weighted-new",
    "gets the batch with its full weight",
    lambda m, old, new: m.momentum * old + new,
    formula="m·old + new",
)
_way(
    "not-weighted-old",
    "keeps its full weight",
    lambda m, old, new: old + (1 - m.momentum) * new,
    formula="old + (1−m)·new",
)
_way("added", "is the sum of all batches", lambda m, old, new: old + new, formula="old + new")
_way(
    "both-weighted-by-momentum",
    "has both parts weighted by momentum",
    lambda m, old, new: m.momentum * old + m.momentum * new,
    formula="m·old + m·new",
)
_way(
    "moves-away",
    "moves away from the batch: a sign is wrong",
    lambda m, old, new: old - (1 - m.momentum) * (new - old),
    formula="old − (1−m)·(new − old)",
)
_way(
    "sign-of-the-new",
    "has the batch subtracted",
    lambda m, old, new: m.momentum * old - (1 - m.momentum) * new,
    formula="m·old − (1−m)·new",
)
_way(
    "half",
    "is the plain mean of old and new",
    lambda m, old, new: _moved(m, old, new, 0.5),
    formula="(old + new)/2",
)
_way(
    "updated-twice",
    "is updated twice in each training call",
    lambda m, old, new: _moved(m, _moved(m, old, new), new),
    formula="m²·old + (1−m²)·new",
)
_way(
    "parentheses-missing",
    "is moved without the parentheses around 1 − m",
    lambda m, old, new: m.momentum * old + 1 - m.momentum * new,
    formula="m·old + 1 − m·new",
)
_way(
    "momentum-rooted",
    "is moved by √m instead of m",
    lambda m, old, new: _moved(m, old, new, m.momentum**0.5),
    formula="√m·old + (1−√m)·new",
)
_way(
    "never-falls",
    "keeps its maximum",
    lambda m, old, new: maximum(old, _moved(m, old, new)),
    formula="max(old, moved)",
)
_way(
    "never-rises",
    "keeps its minimum",
    lambda m, old, new: minimum(old, _moved(m, old, new)),
    formula="min(old, moved)",
)
_way(
    "only-if-larger",
    "is overwritten by larger values",
    lambda m, old, new: maximum(old, new),
    formula="max(old, new)",
)
_way(
    "debiased",
    "is divided by 1 − m^k, a correction that presumes a start at zero",
    lambda m, old, new: _moved(m, old, new) / (1 - m.momentum ** (m.calls + 1)),
    formula="(m·old + (1−m)·new)/(1 − m^k)",
    convention="Haiku and Adam correct so, for averages that start at zero.",
)
_way(
    "nan-batch-skipped",
    "is not updated by any feature if one of them is not finite",
    lambda m, old, new: _moved(m, old, new) if np.isfinite(new.value).all() else old,
    needs=1,
)
_way(
    "not-finite-feature-skipped",
    "is not updated by a feature that is not finite",
    lambda m, old, new: where(np.isfinite(new.value), _moved(m, old, new), old),
    needs=1,
)
_way(
    "averaged-over-features",
    "is one number for all features",
    lambda m, old, new: _moved(m, old, average(new) + exact(np.zeros(new.shape))),
)
_way(
    "momentum-zero-ignored",
    "is not updated where momentum is 0, taken as 'none'",
    lambda m, old, new: old if m.momentum == 0 else _moved(m, old, new),
    needs=2,
)
_way(
    "momentum-zero-cumulative",
    "is a cumulative average where momentum is 0, taken as 'none'",
    lambda m, old, new: (
        _moved(m, old, new, 1 - 1 / (m.calls + 1.0)) if m.momentum == 0 else _moved(m, old, new)
    ),
    needs=2,
)
_way(
    "zero-start-skipped",
    "is overwritten where it is zero, taken as 'not yet set'",
    lambda m, old, new: where(old.value == 0, new, _moved(m, old, new)),
)
_way(
    "first-batch-copied",
    "is overwritten by the first batch",
    lambda m, old, new: new if m.calls == 0 else _moved(m, old, new),
    convention="Equinox's mode 'ema' does so.",
)
_way(
    "first-skipped",
    "is not updated by the first batch",
    lambda m, old, new: old if m.calls == 0 else _moved(m, old, new),
)
_way(
    "cumulative",
    "is a cumulative average: each batch weighs as much as all before",
    lambda m, old, new: _moved(m, old, new, 1 - 1 / (m.calls + 1.0)),
    formula="old + (new − old)/k",
    convention="PyTorch does so with momentum=None.",
)
_way(
    "cumulative-at-first",
    "is a cumulative average until momentum takes over",
    lambda m, old, new: _moved(m, old, new, min(m.momentum, 1 - 1 / (m.calls + 1.0))),
    formula="weight min(m, 1 − 1/k)",
)
_way(
    "cumulative-from-second",
    "is a cumulative average from the second call on, until momentum takes over",
    lambda m, old, new: _moved(
        m, old, new, m.momentum if m.calls == 0 else min(m.momentum, 1 - 1 / (m.calls + 1.0))
    ),
    formula="weight min(m, 1 − 1/k) for k > 1",
    convention="PyTorch averages cumulatively with momentum=None.",
)
_way(
    "every-second-update",
    "is updated by every second call only",
    lambda m, old, new: old if m.calls % 2 else _moved(m, old, new),
)
_way(
    "odd-calls-skipped",
    "is updated by every second call only, the first left out",
    lambda m, old, new: _moved(m, old, new) if m.calls % 2 else old,
)
_way(
    "momentum-one-overwrites",
    "is overwritten where momentum is 1",
    lambda m, old, new: new if m.momentum == 1 else _moved(m, old, new),
    needs=2,
)
_way(
    "momentum-one-cumulative",
    "is a cumulative average where momentum is 1",
    lambda m, old, new: (
        _moved(m, old, new, 1 - 1 / (m.calls + 1.0)) if m.momentum == 1 else _moved(m, old, new)
    ),
    needs=2,
)
_way(
    "weighted-by-row-count",
    "weighs the batch by its number of rows",
    lambda m, old, new: _moved(m, old, new, m.momentum / (m.momentum + (1 - m.momentum) * m.rows)),
)
