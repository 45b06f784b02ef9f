"""Mistakes in the running statistics."""

from __future__ import annotations

import numpy as np

from conformance.diagnosis.alternatives.batch import rounded_to, to_bfloat16, to_float16
from conformance.diagnosis.alternatives.variance import CONSTANTS
from conformance.diagnosis.approximate import (
    Approximate,
    average,
    exact,
    mapped,
    maximum,
    minimum,
    root,
    where,
)
from conformance.diagnosis.model import TEXTBOOK, Model, Pair, raised
from conformance.diagnosis.registry import Parameter, alternative, family

_moved, _update, _var = TEXTBOOK["moved"], TEXTBOOK["update"], TEXTBOOK["var"]
_TEXT = "running = momentum·running + (1−momentum)·batch"


def _each(which: str, function: object) -> dict[str, object]:
    """Return the step of one running statistic, or of both, with a way of moving it."""
    steps = {"mean": ("moved_mean",), "variance": ("moved_var",)}.get(which, ("moved",))
    return dict.fromkeys(steps, function)


_WAYS = {
    "momentum-of-the-new": (
        "momentum is the weight of the new value",
        "(1−m)·old + m·new",
        lambda m, old, new: _moved(m, old, new, 1 - m.momentum),
        "PyTorch, MLX and tinygrad mean it so. Pass 1−momentum to the layer in an adapter's build.",
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
    "not-finite-skipped": (
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
    "first-overwrites": (
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
    "even-calls-skipped": (
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
    "weighted-by-rows": (
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
    "not-finite-skipped": 1,
    "not-finite-feature-skipped": 1,
}
"""How many calls have to show what only few calls can."""

for _name, (_words, _formula, _function, _convention) in _WAYS.items():
    for _which, _subject in (
        ("", "each running statistic"),
        ("mean", "the running mean"),
        ("variance", "the running variance"),
    ):
        _is_clause = _words.startswith("momentum is")
        _of = f", for {_subject}" if _which else ""
        alternative(
            f"{_name}-{_which}" if _which else _name,
            f"{_words}{_of}" if _is_clause else f"{_subject} {_words}",
            _formula,
            remedy=_TEXT,
            convention=_convention,
            needs=_RARELY.get(_name, 3),
            **_each(_which, _function),
        )

_KEPT = {
    "two-decimals": ("is rounded to two decimals", lambda m: round(m.momentum, 2)),
    "one-decimal": ("is rounded to one decimal", lambda m: round(m.momentum, 1)),
    "three-decimals": ("is rounded to three decimals", lambda m: round(m.momentum, 3)),
    "bfloat16": ("is rounded to bfloat16", lambda m: float(to_bfloat16(np.array(m.momentum)))),
    "float16": ("is rounded to float16", lambda m: float(to_float16(np.array(m.momentum)))),
    "squared": ("is squared", lambda m: m.momentum**2),
}
for _name, (_words, _function) in _KEPT.items():
    alternative(
        f"momentum-{_name}",
        f"momentum {_words}",
        remedy="keep momentum as the Python float that was given",
        needs=2,
        kept=_function,
    )


def _cancelled(m: Model, old: Approximate, new: Approximate) -> Approximate:
    """Return m·old + w·new with w = 1 − m taken in bfloat16."""
    weight = float(to_bfloat16(np.array(1 - m.momentum)))
    return m.momentum * old + weight * new


alternative("new-weight-bfloat16", "1 − momentum is rounded to bfloat16", moved=_cancelled)


def _stored(function: object) -> dict[str, object]:
    return {"stored": function}


alternative(
    "std-stored",
    "the running variance follows the standard deviation",
    "rv' = m·rv + (1−m)·√v",
    remedy="store the variance",
    stored=lambda m, x, mean, var: (mean, root(var)),
)
alternative(
    "std-with-eps-stored",
    "the running variance follows √(v+ε)",
    stored=lambda m, x, mean, var: (mean, root(raised(var, m.eps))),
)
alternative(
    "inverse-std-stored",
    "the running variance follows 1/√(v+ε)",
    stored=lambda m, x, mean, var: (mean, m.do("inverse_std", var)),
)
alternative(
    "precision-stored",
    "the running variance follows 1/(v+ε)",
    stored=lambda m, x, mean, var: (mean, 1 / raised(var, m.eps)),
)
alternative(
    "eps-stored",
    "ε is added to the variance that is stored",
    "rv' = m·rv + (1−m)·(v+ε)",
    remedy="store the variance without ε",
    stored=lambda m, x, mean, var: (mean, raised(var, m.eps)),
)
alternative(
    "variance-squared-stored",
    "the running variance follows the squared variance",
    stored=lambda m, x, mean, var: (mean, var * var),
)
alternative(
    "uncentred-stored",
    "the running variance follows the mean of the squares",
    "rv' = m·rv + (1−m)·mean(x²)",
    stored=lambda m, x, mean, var: (mean, average(x * x, 0)[0]),
)
alternative(
    "stored-around-running-mean",
    "the variance that is stored is centred on the running mean",
    "mean((x−rm)²)",
    remedy="centre on the batch mean",
    stored=lambda m, x, mean, var: (mean, _var(m, x, m.running_mean)),
)
alternative(
    "stored-around-updated-mean",
    "the variance that is stored is centred on the updated running mean",
    "mean((x−rm')²)",
    remedy="centre on the batch mean",
    stored=lambda m, x, mean, var: (mean, _var(m, x, m.do("moved_mean", m.running_mean, mean))),
)
alternative(
    "stored-exchanged",
    "the mean is stored as the variance, and the variance as the mean",
    stored=lambda m, x, mean, var: (var, mean),
)
alternative(
    "mean-stored-twice",
    "the mean is stored as the variance, too",
    stored=lambda m, x, mean, var: (mean, mean),
)
alternative(
    "sum-stored",
    "the running mean follows the sum of the batch",
    stored=lambda m, x, mean, var: (mean * float(x.shape[0]), var),
)
alternative(
    "sums-stored",
    "the running variance follows the sum of squares",
    stored=lambda m, x, mean, var: (mean, var * float(x.shape[0])),
)


def _of_z(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> Pair:
    z = m.do("normalized", x, mean, var)
    center = average(z, 0)[0]
    return center, average((z - center) * (z - center), 0)[0]


def _of_y(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> Pair:
    y = m.do("affine", m.do("normalized", x, mean, var))
    center = average(y, 0)[0]
    return center, average((y - center) * (y - center), 0)[0]


alternative("normalised-stored", "the statistics of z are stored", stored=_of_z)
alternative("output-stored", "the statistics of y are stored", stored=_of_y)


def _exchanged(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> None:
    _update(m, x, mean, var)
    m.running_mean, m.running_var = m.running_var, m.running_mean


alternative(
    "written-exchanged", "each running statistic is written into the other", update=_exchanged
)


def _total_variance(m: Model, old: Approximate, new: Approximate) -> Approximate:
    gap = m.memory["mean"] - m.memory["old mean"]
    return _moved(m, old, new) + m.momentum * (1 - m.momentum) * gap * gap


def _remembering(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> None:
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


def _repeat_skipped(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> None:
    """Skip a batch that equals the one before, and comes in the same container."""
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


def _lagging(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> object:
    last: object = m.memory.get("statistics", (mean, var))
    m.memory["statistics"] = (mean, var)
    return last


alternative(
    "lagging-stored",
    "the running statistics follow the batch before",
    remembers=True,
    stored=_lagging,
)
alternative(
    "lagging-used",
    "training normalises with the statistics of the batch before",
    remembers=True,
    used=_lagging,
)


def _first_statistics(m: Model, x: Approximate) -> Approximate:
    kept: Approximate = m.memory.setdefault("first", TEXTBOOK["mean"](m, x))
    return kept


alternative(
    "mean-of-first-batch",
    "the batch mean of the first batch is kept for all later ones",
    remembers=True,
    mean=_first_statistics,
)

_UNIT = {"bfloat16": 2.0**-7, "float16": 2.0**-10}


def _in_low_precision(m: Model, old: Approximate, new: Approximate, kind: str) -> Approximate:
    """Return one step of the average; m·old may be rounded to the format of the state, too."""
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
            f"stored-{_which + '-' if _which else ''}{_kind}",
            f"{_subject} stored rounded to {_name}",
            remedy="keep the state in float32",
            **_each(
                _which,
                lambda m, old, new, k=_kind: mapped(
                    rounded_to(k), _in_low_precision(m, old, new, k)
                ),
            ),
        )

_SHARES = Parameter((0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 0.9999, 1.0))
for _which, _subject in (
    ("", ""),
    ("mean", ", for the running mean"),
    ("variance", ", for the running variance"),
):
    _suffix = f"-{_which}" if _which else ""
    family(
        f"momentum-hard-coded{_suffix}",
        f"momentum is {{c}}, whatever was asked for{_subject}",
        "c·old + (1−c)·new",
        _SHARES,
        lambda c, which=_which: _each(which, lambda m, old, new: _moved(m, old, new, c)),
        remedy="use the momentum that the constructor was given",
        convention="0.9, 0.99 and 0.1 are the defaults of several frameworks.",
    )
    family(
        f"momentum-at-least{_suffix}",
        f"momentum is raised to {{c}} where it is smaller{_subject}",
        "",
        _SHARES,
        lambda c, which=_which: _each(
            which, lambda m, old, new: _moved(m, old, new, max(m.momentum, c))
        ),
        needs=2,
    )
    family(
        f"momentum-at-most{_suffix}",
        f"momentum is cut to {{c}} where it is larger{_subject}",
        "",
        _SHARES,
        lambda c, which=_which: _each(
            which, lambda m, old, new: _moved(m, old, new, min(m.momentum, c))
        ),
        needs=2,
    )
family(
    "momentum-at-most-unless-one",
    "momentum is cut to {c} where it is larger, unless it is 1",
    "",
    _SHARES,
    lambda c: {
        "kept": lambda m: m.momentum if m.momentum == 1 else min(m.momentum, c),
    },
    needs=2,
)
family(
    "momentum-at-least-unless-zero",
    "momentum is raised to {c} where it is smaller, unless it is 0",
    "",
    _SHARES,
    lambda c: {
        "kept": lambda m: m.momentum if m.momentum == 0 else max(m.momentum, c),
    },
    needs=2,
)
for _which, _subject in (("mean", "running mean"), ("variance", "running variance")):
    family(
        f"stored-{_which}-at-least",
        f"the {_subject} is raised to {{c}} where it would become smaller",
        "",
        CONSTANTS,
        lambda c, which=_which: _each(which, lambda m, old, new: maximum(_moved(m, old, new), c)),
        needs=2,
    )
    family(
        f"stored-{_which}-at-most",
        f"the {_subject} is cut to {{c}} where it would become larger",
        "",
        CONSTANTS,
        lambda c, which=_which: _each(which, lambda m, old, new: minimum(_moved(m, old, new), c)),
        needs=2,
    )
family(
    "momentum-zero-is-default",
    "a momentum of 0 is taken as 'not given' and becomes {c}",
    "",
    _SHARES,
    lambda c: {"kept": lambda m: c if m.momentum == 0 else m.momentum},
    remedy="compare with None, not with zero",
    needs=2,
)
family(
    "momentum-small-is-zero",
    "a momentum below {c} counts as zero",
    "",
    Parameter((0.001, 0.002, 0.005, 0.01, 0.02), threshold=True),
    lambda c: {"kept": lambda m: 0.0 if m.momentum < c else m.momentum},
    needs=2,
)
family(
    "momentum-within",
    "momentum is clipped to [{c}, 1−{c}]",
    "",
    Parameter((1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.3)),
    lambda c: {"kept": lambda m: min(max(m.momentum, c), 1 - c)},
    needs=2,
)
alternative(
    "warm-up",
    "the momentum of call k is at most k/(k+1)",
    "weight min(m, k/(k+1))",
    remedy=_TEXT,
    kept=lambda m: min(m.momentum, (m.calls + 1.0) / (m.calls + 2.0)),
)
alternative(
    "warm-up-of-ten",
    "the momentum of call k is at most (1+k)/(10+k)",
    "weight min(m, (1+k)/(10+k))",
    convention="TensorFlow's ExponentialMovingAverage does so if it is given num_updates.",
    kept=lambda m: min(m.momentum, (m.calls + 1.0) / (m.calls + 10.0)),
)
alternative(
    "output-mean-stored",
    "the running mean follows the mean of the output",
    stored=lambda m, x, mean, var: (_of_y(m, x, mean, var)[0], var),
)
alternative(
    "normalised-mean-stored",
    "the running mean follows the mean of z",
    stored=lambda m, x, mean, var: (_of_z(m, x, mean, var)[0], var),
)
alternative(
    "stored-at-least-eps",
    "the running variance is raised to ε where it would become smaller",
    moved_var=lambda m, old, new: maximum(_moved(m, old, new), m.eps),
    needs=2,
)


def _decaying(rate: float) -> dict[str, object]:
    def kept(m: Model, per_update: int) -> float:
        return m.momentum * (1 - rate * per_update)

    return {
        "moved_mean": lambda m, old, new: _moved(m, old, new, kept(m, 2 * m.calls + 1)),
        "moved_var": lambda m, old, new: _moved(m, old, new, kept(m, 2 * m.calls + 2)),
    }


def _decaying_by_call(rate: float) -> dict[str, object]:
    return {
        "moved": lambda m, old, new: _moved(m, old, new, m.momentum * (1 - rate * (m.calls + 1)))
    }


_RATES = Parameter((1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.3))
family(
    "momentum-decays",
    "the momentum shrinks by {c} of itself at each update of an array",
    "",
    _RATES,
    _decaying,
)
family(
    "momentum-decays-by-call",
    "the momentum shrinks by {c} of itself at each training call",
    "",
    _RATES,
    _decaying_by_call,
)
_FACTORS = Parameter(
    (0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 1.00001, 1.0001, 1.001, 1.1, 2, 10)
)
for _array, _letter in (("gamma", "γ"), ("beta", "β")):

    def _scaled(c: float, array: str = _array) -> dict[str, object]:
        def update(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> None:
            _update(m, x, mean, var)
            setattr(m, array, c * getattr(m, array))

        return {"update": update}

    family(
        f"training-scales-{_array}",
        f"a training call multiplies {_letter} by {{c}} before it is used",
        "",
        _FACTORS,
        _scaled,
        remedy="leave γ and β to the optimiser",
    )
