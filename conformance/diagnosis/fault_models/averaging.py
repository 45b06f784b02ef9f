"""Mistakes in the running statistics."""

from __future__ import annotations

# Steps take all that their place in the model hands over; loop variables are bound as defaults.
# ruff: noqa: ARG005
import numpy as np

from conformance.diagnosis.approximate import (
    average,
    exact,
    maximum,
    minimum,
    where,
)
from conformance.diagnosis.fault_model import alternative, each_statistic
from conformance.diagnosis.reference_model import ReferenceModel

_moved, _update, _var = ReferenceModel.moved, ReferenceModel.update, ReferenceModel.batch_var
_TEXT = "running = momentum·running + (1−momentum)·batch"


_WAYS = {
    "momentum-of-the-new": (
        "momentum is the weight of the new value",
        "(1−m)·old + m·new",
        lambda m, old, new: _moved(m, old, new, 1 - m.momentum),
        "PyTorch, MLX and tinygrad mean it so. Pass 1−momentum in an adapter's build, or declare "
        "Deviation.MOMENTUM_OF_NEW_VALUE.",
    ),
    "never-stored": ("is never updated", "old", lambda m, old, new: old, ""),
    "overwritten": (
        "is overwritten by the batch: momentum is not used",
        "new",
        lambda m, old, new: new,
        "",
    ),
    "not-weighted-new": (
        "gets the batch with its full weight",
        "m·old + new",
        lambda m, old, new: m.momentum * old + new,
        "",
    ),
    "not-weighted-old": (
        "keeps its full weight",
        "old + (1−m)·new",
        lambda m, old, new: old + (1 - m.momentum) * new,
        "",
    ),
    "added": ("is the sum of all batches", "old + new", lambda m, old, new: old + new, ""),
    "both-weighted-by-momentum": (
        "has both parts weighted by momentum",
        "m·old + m·new",
        lambda m, old, new: m.momentum * old + m.momentum * new,
        "",
    ),
    "moves-away": (
        "moves away from the batch: a sign is wrong",
        "old − (1−m)·(new − old)",
        lambda m, old, new: old - (1 - m.momentum) * (new - old),
        "",
    ),
    "sign-of-the-new": (
        "has the batch subtracted",
        "m·old − (1−m)·new",
        lambda m, old, new: m.momentum * old - (1 - m.momentum) * new,
        "",
    ),
    "half": (
        "is the plain mean of old and new",
        "(old + new)/2",
        lambda m, old, new: _moved(m, old, new, 0.5),
        "",
    ),
    "updated-twice": (
        "is updated twice in each training call",
        "m²·old + (1−m²)·new",
        lambda m, old, new: _moved(m, _moved(m, old, new), new),
        "",
    ),
    "momentum-rooted": (
        "is moved by √m instead of m",
        "√m·old + (1−√m)·new",
        lambda m, old, new: _moved(m, old, new, m.momentum**0.5),
        "",
    ),
    "never-falls": (
        "keeps its maximum",
        "max(old, moved)",
        lambda m, old, new: maximum(old, _moved(m, old, new)),
        "",
    ),
    "never-rises": (
        "keeps its minimum",
        "min(old, moved)",
        lambda m, old, new: minimum(old, _moved(m, old, new)),
        "",
    ),
    "only-if-larger": (
        "is overwritten by larger values",
        "max(old, new)",
        lambda m, old, new: maximum(old, new),
        "",
    ),
    "debiased": (
        "is divided by 1 − m^k, a correction that presumes a start at zero",
        "(m·old + (1−m)·new)/(1 − m^k)",
        lambda m, old, new: _moved(m, old, new) / (1 - m.momentum ** (m.calls + 1)),
        "Haiku and Adam correct so, for averages that start at zero.",
    ),
    "nan-batch-skipped": (
        "is not updated by any feature if one of them is not finite",
        "",
        lambda m, old, new: _moved(m, old, new) if np.isfinite(new.value).all() else old,
        "",
    ),
    "not-finite-feature-skipped": (
        "is not updated by a feature that is not finite",
        "",
        lambda m, old, new: where(np.isfinite(new.value), _moved(m, old, new), old),
        "",
    ),
    "averaged-over-features": (
        "is one number for all features",
        "",
        lambda m, old, new: _moved(m, old, average(new) + exact(np.zeros(new.shape))),
        "",
    ),
    "momentum-zero-ignored": (
        "is not updated where momentum is 0, taken as 'none'",
        "",
        lambda m, old, new: old if m.momentum == 0 else _moved(m, old, new),
        "",
    ),
    "momentum-zero-cumulative": (
        "is a cumulative average where momentum is 0, taken as 'none'",
        "",
        lambda m, old, new: (
            _moved(m, old, new, 1 - 1 / (m.calls + 1.0)) if m.momentum == 0 else _moved(m, old, new)
        ),
        "",
    ),
    "zero-start-skipped": (
        "is overwritten where it is zero, taken as 'not yet set'",
        "",
        lambda m, old, new: where(old.value == 0, new, _moved(m, old, new)),
        "",
    ),
    "first-batch-copied": (
        "is overwritten by the first batch",
        "",
        lambda m, old, new: new if m.calls == 0 else _moved(m, old, new),
        "Equinox's mode 'ema' does so.",
    ),
    "first-skipped": (
        "is not updated by the first batch",
        "",
        lambda m, old, new: old if m.calls == 0 else _moved(m, old, new),
        "",
    ),
    "cumulative": (
        "is a cumulative average: each batch weighs as much as all before",
        "old + (new − old)/k",
        lambda m, old, new: _moved(m, old, new, 1 - 1 / (m.calls + 1.0)),
        "PyTorch does so with momentum=None.",
    ),
    "cumulative-at-first": (
        "is a cumulative average until momentum takes over",
        "weight min(m, 1 − 1/k)",
        lambda m, old, new: _moved(m, old, new, min(m.momentum, 1 - 1 / (m.calls + 1.0))),
        "",
    ),
    "cumulative-from-second": (
        "is a cumulative average from the second call on, until momentum takes over",
        "weight min(m, 1 − 1/k) for k > 1",
        lambda m, old, new: _moved(
            m, old, new, m.momentum if m.calls == 0 else min(m.momentum, 1 - 1 / (m.calls + 1.0))
        ),
        "PyTorch averages cumulatively with momentum=None.",
    ),
    "every-second-update": (
        "is updated by every second call only",
        "",
        lambda m, old, new: old if m.calls % 2 else _moved(m, old, new),
        "",
    ),
    "odd-calls-skipped": (
        "is updated by every second call only, the first left out",
        "",
        lambda m, old, new: _moved(m, old, new) if m.calls % 2 else old,
        "",
    ),
    "momentum-one-overwrites": (
        "is overwritten where momentum is 1",
        "",
        lambda m, old, new: new if m.momentum == 1 else _moved(m, old, new),
        "",
    ),
    "momentum-one-cumulative": (
        "is a cumulative average where momentum is 1",
        "",
        lambda m, old, new: (
            _moved(m, old, new, 1 - 1 / (m.calls + 1.0)) if m.momentum == 1 else _moved(m, old, new)
        ),
        "",
    ),
    "weighted-by-row-count": (
        "weighs the batch by its number of rows",
        "",
        lambda m, old, new: _moved(
            m, old, new, m.momentum / (m.momentum + (1 - m.momentum) * m.rows)
        ),
        "",
    ),
}
_RARELY = {
    "momentum-zero-ignored": 2,
    "momentum-zero-cumulative": 2,
    "momentum-one-overwrites": 2,
    "momentum-one-cumulative": 2,
    "nan-batch-skipped": 1,
    "not-finite-feature-skipped": 1,
}
"""How many calls have to show what only few calls can."""

_IDS = {("never-falls", "variance"): "variance-never-falls"}
"""The id of one that is a fault of the gallery."""

for _name, (_words, _formula, _function, _convention) in _WAYS.items():
    for _which, _subject in (
        ("", "each running statistic"),
        ("mean", "the running mean"),
        ("variance", "the running variance"),
    ):
        _is_clause = _words.startswith("momentum is")
        _of = f", for {_subject}" if _which else ""
        alternative(
            _IDS.get((_name, _which), f"{_name}-{_which}" if _which else _name),
            f"{_words}{_of}" if _is_clause else f"{_subject} {_words}",
            _formula,
            remedy=_TEXT,
            convention=_convention,
            needs=_RARELY.get(_name, 3),
            **each_statistic(_which, _function),
        )
