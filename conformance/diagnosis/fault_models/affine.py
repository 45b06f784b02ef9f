"""Mistakes in gamma and beta."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005, B008
from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import (
    Approximate,
    absolute,
    clip,
    exact,
    map_values,
    maximum,
    minimum,
    rearrange,
    where,
)
from conformance.diagnosis.fault_model import Parameter, alternative, family, replace_step
from conformance.diagnosis.model_state import Steps
from conformance.diagnosis.reference_model import ReferenceModel
from conformance.diagnosis.rounding import rounded_to

_BOTH = "y = γ·z + β in both modes"

alternative(
    "gamma-unused", "γ is not applied", "y = z + β", remedy=_BOTH, scale=lambda m: exact(1.0)
)
alternative("beta-unused", "β is not added", "y = γ·z", remedy=_BOTH, shift=lambda m: exact(0.0))
alternative(
    "affine-unused", "γ and β are not applied", "y = z", remedy=_BOTH, affine=lambda m, z: z
)
alternative(
    "gamma-absolute", "the sign of γ is lost", "y = |γ|·z + β", scale=lambda m: absolute(m.gamma)
)
alternative("gamma-negated", "γ has the wrong sign", scale=lambda m: -m.gamma)
alternative("gamma-twice", "γ is applied twice", "y = γ²·z + β", scale=lambda m: m.gamma * m.gamma)
alternative("gamma-inverted", "it is divided by γ", "y = z/γ + β", scale=lambda m: 1 / m.gamma)
alternative(
    "gamma-plus-one",
    "one is added to γ",
    "y = (1+γ)·z + β",
    remedy="start γ at one and apply it as it is",
    convention="Gains centred on zero are used by some transformer libraries.",
    scale=lambda m: 1 + m.gamma,
)
alternative(
    "gamma-not-negative", "negative γ is cut to zero", scale=lambda m: maximum(m.gamma, 0.0)
)
alternative(
    "gamma-zero-is-one",
    "a γ of zero is taken as 'none' and replaced by one",
    scale=lambda m: where(m.gamma.value == 0, 1.0, m.gamma),
    needs=2,
)
alternative("beta-negated", "β is subtracted", "y = γ·z − β", shift=lambda m: -m.beta)
alternative("beta-twice", "β is added twice", "y = γ·z + 2β", shift=lambda m: 2 * m.beta)
alternative("beta-absolute", "the sign of β is lost", shift=lambda m: absolute(m.beta))
alternative("beta-not-negative", "negative β is cut to zero", shift=lambda m: maximum(m.beta, 0.0))
alternative(
    "beta-before-gamma",
    "β is added before γ is applied",
    "y = γ·(z + β)",
    remedy="y = γ·z + β",
    affine=lambda m, z: m.gamma * (z + m.beta),
)
alternative(
    "beta-over-gamma", "β is divided by γ", affine=lambda m, z: m.gamma * z + m.beta / m.gamma
)
alternative(
    "beta-divided-too",
    "β is divided by the standard deviation, too",
    "y = (γ·(x−μ) + β)/√(v+ε)",
    remedy=_BOTH,
    output=lambda m, x, mean, var: (m.gamma * (x - mean) + m.beta) * m.inverse_std(var),
)
alternative(
    "affine-exchanged",
    "γ and β are exchanged",
    "y = β·z + γ",
    scale=lambda m: m.beta,
    shift=lambda m: m.gamma,
)
alternative("gamma-for-both", "γ is used for β as well", "y = γ·z + γ", shift=lambda m: m.gamma)
alternative("beta-for-both", "β is used for γ as well", "y = β·z + β", scale=lambda m: m.beta)


def _first(a: Approximate) -> Approximate:
    return rearrange(lambda v: np.full_like(v, v[0]), a)


def _last(a: Approximate) -> Approximate:
    return rearrange(lambda v: np.full_like(v, v[-1]), a)


def _mean(a: Approximate) -> Approximate:
    return exact(np.full(a.shape, a.value.mean())) * exact(1.0)


_ARRANGED = {
    "of-the-first": ("of the first feature is applied to all", _first),
    "of-the-last": ("of the last feature is applied to all", _last),
    "averaged": ("is averaged over the features", _mean),
    "reversed": ("is applied in reverse order", lambda a: rearrange(np.flip, a)),
    "rolled": ("of the feature before is applied", lambda a: rearrange(lambda v: np.roll(v, 1), a)),
    "rolled-back": (
        "of the feature after is applied",
        lambda a: rearrange(lambda v: np.roll(v, -1), a),
    ),
    "sorted": ("is sorted", lambda a: rearrange(np.sort, a)),
}
for _name, (_words, _function) in _ARRANGED.items():
    alternative(
        f"gamma-{_name}",
        f"γ {_words}" if _name.startswith(("re", "so", "av")) else f"the γ {_words}",
        remedy="apply γ feature by feature",
        scale=lambda m, f=_function: f(m.gamma),
    )
    alternative(
        f"beta-{_name}",
        f"β {_words}" if _name.startswith(("re", "so", "av")) else f"the β {_words}",
        remedy="add β feature by feature",
        shift=lambda m, f=_function: f(m.beta),
    )
    alternative(
        f"affine-{_name}",
        f"both γ and β are misplaced: what {_words} is theirs",
        scale=lambda m, f=_function: f(m.gamma),
        shift=lambda m, f=_function: f(m.beta),
    )
for _kind in ("bfloat16", "float16", "1", "2", "3"):
    _name = _kind if _kind.isalpha() or "float" in _kind else f"{_kind} decimals"
    for _array, _letter, _step in (("gamma", "γ", "scale"), ("beta", "β", "shift")):
        alternative(
            f"{_array}-{_kind}",
            f"{_letter} is rounded to {_name} before it is used",
            remedy="compute in float32",
            **replace_step(
                _step, lambda m, f=rounded_to(_kind), array=_array: map_values(f, getattr(m, array))
            ),
        )
    alternative(
        f"affine-{_kind}",
        f"γ and β are rounded to {_name} before they are used",
        scale=lambda m, f=rounded_to(_kind): map_values(f, m.gamma),
        shift=lambda m, f=rounded_to(_kind): map_values(f, m.beta),
    )


def _captured(m: ReferenceModel, array: str) -> Approximate:
    kept: Approximate = m.memory.setdefault(array, getattr(m, array))
    return kept


alternative(
    "affine-captured",
    "γ and β are read once, at the first call",
    remedy="read the Variables at every call",
    remembers=True,
    scale=lambda m: _captured(m, "gamma"),
    shift=lambda m: _captured(m, "beta"),
)
for _array, _letter, _step in (("gamma", "γ", "scale"), ("beta", "β", "shift")):
    alternative(
        f"{_array}-only-captured",
        f"{_letter} is read once, at the first call",
        remedy="read the Variable at every call",
        remembers=True,
        **replace_step(_step, lambda m, array=_array: _captured(m, array)),
    )
family(
    "gamma-tiny-is-zero",
    "a γ smaller than {c} counts as zero",
    Parameter(tuple(10.0**k for k in range(-8, 0)), threshold=True),
    lambda c: {"scale": lambda m: where(np.abs(m.gamma.value) < c, 0.0, m.gamma)},
    needs=2,
)
_SIZES = Parameter((1e-3, 1e-2, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 500, 1000, 2000, 5000, 1e4))

_LIMITS: tuple[tuple[str, str, Any], ...] = (
    ("clipped", "is clipped to ±{c}", lambda a, c: clip(a, -c, c)),
    ("clipped-to-positive", "is clipped to [0, {c}]", lambda a, c: clip(a, 0.0, c)),
    ("at-most", "is cut to {c} where it is larger", minimum),
    ("at-least", "is raised to {c} where it is smaller", maximum),
)


def _limiting(step: str, array: str, limited: Any) -> Callable[[float], Steps]:
    return lambda c: {step: lambda m: limited(getattr(m, array), c)}


def _families_of(array: str, letter: str, step: str) -> None:
    for name, words, limited in _LIMITS:
        family(
            f"{array}-{name}", f"{letter} {words}", _SIZES, _limiting(step, array, limited), needs=2
        )
    family(
        f"{array}-scaled",
        f"{letter} is {{c}} times what it should be",
        Parameter((-10, -2, -0.1, 0.01, 0.1, 0.5, 0.9, 0.999, 1.001, 1.1, 2, 10, 100)),
        lambda c: {step: lambda m: c * getattr(m, array)},
    )
    family(
        f"{array}-shifted",
        f"{{c}} is added to {letter}",
        Parameter((-10, -1, -0.1, -1e-3, -1e-5, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 2, 10)),
        lambda c: {step: lambda m: getattr(m, array) + c},
    )


for _array, _letter, _step in (("gamma", "γ", "scale"), ("beta", "β", "shift")):
    _families_of(_array, _letter, _step)
