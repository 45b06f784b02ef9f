"""Clipped and rounded inputs and results, and guards against non-finite values."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from conformance.diagnosis.approximate import clip, exact, map_values, maximum, minimum
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.reference_model import ReferenceModel
from conformance.diagnosis.rounding import rounded_to

_normalized = ReferenceModel.normalized

_LIMITS = Parameter((0.1, 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 50, 100, 300, 1e3, 1e4, 1e5, 1e6))
family(
    "x-clipped",
    "the input is clipped to ±{c}",
    _LIMITS,
    lambda c: {"take_input": lambda m, x: clip(exact(x), -c, c)},
    remedy="take the input as it is",
    needs=2,
)
family(
    "z-clipped",
    "normalised values are clipped to ±{c}",
    _LIMITS,
    lambda c: {"normalized": lambda m, *given: clip(_normalized(m, *given), -c, c)},
    remedy="do not clip: an outlier is at most √(N−1) away",
    needs=1,
)
family(
    "y-clipped",
    "results are clipped to ±{c}",
    _LIMITS,
    lambda c: {"finish": lambda m, y: clip(y, -c, c)},
    needs=2,
)
family(
    "y-at-most",
    "results are cut to {c}",
    _LIMITS,
    lambda c: {"finish": lambda m, y: minimum(y, c)},
    needs=2,
)
family(
    "y-scaled",
    "results are {c} times what they should be",
    Parameter((-1.5, -0.5, 0.01, 0.1, 0.5, 0.9, 0.999, 0.99999, 1.00001, 1.001, 1.1, 2, 10)),
    lambda c: {"finish": lambda m, y: c * y},
)
family(
    "y-shifted",
    "{c} is added to the results",
    Parameter((-10, -0.1, -1e-3, -1e-5, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10)),
    lambda c: {"finish": lambda m, y: y + c},
)
family(
    "z-scaled",
    "normalised values are {c} times what they should be",
    Parameter((-1.5, -0.5, 0.01, 0.1, 0.5, 0.9, 0.999, 0.99999, 1.00001, 1.001, 1.1, 2, 10)),
    lambda c: {"normalized": lambda m, *given: c * _normalized(m, *given)},
)
alternative(
    "y-not-negative", "negative results are cut to zero", finish=lambda m, y: maximum(y, 0.0)
)
alternative("y-negated", "results have the wrong sign", finish=lambda m, y: -y)
alternative(
    "z-negated",
    "μ − x is normalised instead of x − μ",
    normalized=lambda m, *g: -_normalized(m, *g),
)
# Scaling before and after rounding also rounds: that is the factor of one.
for _kind in ("bfloat16", "float16", "0", "1", "2", "3", "4", "5", "6"):
    _name = _kind if "float" in _kind else f"{_kind} decimals"
    _round = rounded_to(_kind)
    _remedy = "compute in float32"
    alternative(
        f"x-{_kind}",
        f"the input is rounded to {_name} first",
        remedy=_remedy,
        take_input=lambda m, x, f=_round: map_values(f, exact(x) * 1.0) * 1.0,
    )
    alternative(
        f"y-{_kind}",
        f"results are rounded to {_name}",
        remedy=_remedy,
        finish=lambda m, y, f=_round: map_values(f, y * 1.0) * 1.0,
    )
    alternative(
        f"z-{_kind}",
        f"normalised values are rounded to {_name}",
        remedy=_remedy,
        normalized=lambda m, *given, f=_round: map_values(f, _normalized(m, *given)) * 1.0,
    )
