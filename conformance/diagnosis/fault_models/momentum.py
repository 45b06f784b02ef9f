"""Mistakes in the use of momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate
from conformance.diagnosis.fault_model import Parameter, alternative, each_statistic, family
from conformance.diagnosis.reference_model import ReferenceModel
from conformance.diagnosis.rounding import to_bfloat16, to_float16

_moved = ReferenceModel.moved
_TEXT = "running = momentum·running + (1−momentum)·batch"


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
        weight_of_old=_function,
    )


def _weighted(
    m: ReferenceModel, old: Approximate, new: Approximate, rounded: Any, *, both: bool = True
) -> Approximate:
    """Return k·old + w·new, where w = 1 − k is rounded, and k = m as well, or not."""
    kept = float(rounded(np.array(m.momentum))) if both else m.momentum
    return kept * old + float(rounded(np.array(1 - kept))) * new


for _name, _round in (("bfloat16", to_bfloat16), ("float16", to_float16)):
    alternative(
        f"weights-in-{_name}",
        f"momentum and 1 − momentum are computed in {_name}",
        remedy="keep momentum as the Python float that was given",
        needs=2,
        moved=lambda m, old, new, r=_round: _weighted(m, old, new, r),
    )
alternative(
    "new-weight-bfloat16",
    "1 − momentum is rounded to bfloat16",
    moved=lambda m, old, new: _weighted(m, old, new, to_bfloat16, both=False),
)

_SHARES = Parameter((0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 0.9999, 1.0))


def _families_of(which: str, subject: str) -> None:
    suffix = f"-{which}" if which else ""
    family(
        f"momentum-hard-coded{suffix}",
        f"momentum is {{c}}, whatever was asked for{subject}",
        _SHARES,
        lambda c: each_statistic(which, lambda m, old, new: _moved(m, old, new, c)),
        formula="c·old + (1−c)·new",
        remedy="use the momentum that the constructor was given",
        convention="0.9, 0.99 and 0.1 are the defaults of several frameworks.",
    )
    family(
        f"momentum-at-least{suffix}",
        f"momentum is raised to {{c}} where it is smaller{subject}",
        _SHARES,
        lambda c: each_statistic(
            which, lambda m, old, new: _moved(m, old, new, max(m.momentum, c))
        ),
        needs=2,
    )
    family(
        f"momentum-at-most{suffix}",
        f"momentum is cut to {{c}} where it is larger{subject}",
        _SHARES,
        lambda c: each_statistic(
            which, lambda m, old, new: _moved(m, old, new, min(m.momentum, c))
        ),
        needs=2,
    )


for _which, _subject in (
    ("", ""),
    ("mean", ", for the running mean"),
    ("variance", ", for the running variance"),
):
    _families_of(_which, _subject)
family(
    "momentum-at-most-unless-one",
    "momentum is cut to {c} where it is larger, unless it is 1",
    _SHARES,
    lambda c: {"weight_of_old": lambda m: m.momentum if m.momentum == 1 else min(m.momentum, c)},
    needs=2,
)
family(
    "momentum-at-least-unless-zero",
    "momentum is raised to {c} where it is smaller, unless it is 0",
    _SHARES,
    lambda c: {"weight_of_old": lambda m: m.momentum if m.momentum == 0 else max(m.momentum, c)},
    needs=2,
)
family(
    "momentum-or-default",
    "a momentum of 0 is taken as 'not given' and becomes {c}",
    _SHARES,
    lambda c: {"weight_of_old": lambda m: c if m.momentum == 0 else m.momentum},
    remedy="compare with None, not with zero",
    needs=2,
)
family(
    "momentum-tiny-is-zero",
    "a momentum below {c} counts as zero",
    Parameter((0.001, 0.002, 0.005, 0.01, 0.02), threshold=True),
    lambda c: {"weight_of_old": lambda m: 0.0 if m.momentum < c else m.momentum},
    needs=2,
)
family(
    "momentum-clipped",
    "momentum is clipped to [{c}, 1−{c}]",
    Parameter((1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.3)),
    lambda c: {"weight_of_old": lambda m: min(max(m.momentum, c), 1 - c)},
    needs=2,
)
alternative(
    "weighted-by-rows",
    "the weight of the batch grows with its number of rows, as N/(N+1)",
    "old + (1−m)·N/(N+1)·(new − old)",
    remedy=_TEXT,
    weight_of_old=lambda m: 1 - (1 - m.momentum) * m.rows / (m.rows + 1.0),
)
family(
    "momentum-to-the-rows",
    "momentum is raised to the power N/{c}, so that it depends on the batch size",
    Parameter((1, 2, 4, 8, 16, 32, 64, 100, 128, 256, 512, 1000, 1024)),
    lambda c: {"weight_of_old": lambda m: m.momentum ** (m.rows / c)},
    formula="m^(N/c)·old + (1 − m^(N/c))·new",
    remedy=_TEXT,
)
alternative(
    "warm-up",
    "the momentum of call k is at most k/(k+1)",
    "weight min(m, k/(k+1))",
    remedy=_TEXT,
    weight_of_old=lambda m: min(m.momentum, (m.calls + 1.0) / (m.calls + 2.0)),
)
alternative(
    "warm-up-of-ten",
    "the momentum of call k is at most (1+k)/(10+k)",
    "weight min(m, (1+k)/(10+k))",
    convention="TensorFlow's ExponentialMovingAverage does so if it is given num_updates.",
    weight_of_old=lambda m: min(m.momentum, (m.calls + 1.0) / (m.calls + 10.0)),
)


def _decaying(rate: float) -> dict[str, Any]:
    def kept(m: ReferenceModel, per_update: int) -> float:
        return m.momentum * (1 - rate * per_update)

    return {
        "moved_mean": lambda m, old, new: _moved(m, old, new, kept(m, 2 * m.calls + 1)),
        "moved_var": lambda m, old, new: _moved(m, old, new, kept(m, 2 * m.calls + 2)),
    }


_RATES = Parameter((1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.3))
family(
    "momentum-decays",
    "the momentum shrinks by {c} of itself at each update of an array",
    _RATES,
    _decaying,
)
family(
    "momentum-decays-by-call",
    "the momentum shrinks by {c} of itself at each training call",
    _RATES,
    lambda c: {"weight_of_old": lambda m: m.momentum * (1 - c * (m.calls + 1))},
)
