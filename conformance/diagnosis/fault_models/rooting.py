"""Mistakes in the square root and the use of ε."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
import numpy as np

from conformance.diagnosis.approximate import (
    Approximate,
    exact,
    map_values,
    maximum,
    root,
    single,
    where,
)
from conformance.diagnosis.fault_model import ANY_SIZE, Parameter, alternative, family
from conformance.diagnosis.formulas import add_eps
from conformance.diagnosis.reference_model import ReferenceModel
from conformance.diagnosis.rounding import to_bfloat16, to_float16

_INSIDE = "add ε to the variance, under the root"


alternative(
    "eps-missing", "there is no ε", "1/√v", remedy=_INSIDE, inverse_std=lambda m, var: 1 / root(var)
)
alternative(
    "eps-outside",
    "ε is added outside the root",
    "1/(√v + ε)",
    remedy=_INSIDE,
    inverse_std=lambda m, var: 1 / (root(var) + m.eps),
)
alternative(
    "eps-squared",
    "ε is squared before it is added",
    "1/√(v + ε²)",
    remedy=_INSIDE,
    epsilon=lambda m: m.eps**2,
)
alternative(
    "eps-twice",
    "ε is added twice",
    "1/√(v + 2ε)",
    remedy="add ε once",
    epsilon=lambda m: 2 * m.eps,
)
alternative(
    "eps-inside-and-outside",
    "ε is added inside the root and outside",
    "1/(√(v+ε) + ε)",
    remedy=_INSIDE,
    inverse_std=lambda m, var: 1 / (root(add_eps(var, m.eps)) + m.eps),
)


def _refined(m: ReferenceModel, var: Approximate, steps: int) -> Approximate:
    """Return 1/√(var+ε) after steps of Newton's method towards 1/√var."""
    r = 1 / root(add_eps(var, m.eps))
    for _ in range(steps):
        r = r * (1.5 - 0.5 * var * r * r)
    return r


for _steps in (1, 2, 3):
    alternative(
        f"newton-without-eps-{_steps}",
        f"1/√(v+ε) is refined by {_steps} step{'s' * (_steps > 1)} of Newton's method for 1/√v",
        "r ← r·(3 − v·r²)/2",
        remedy="refine with v + ε: r·(3 − (v+ε)·r²)/2",
        inverse_std=lambda m, var, steps=_steps: _refined(m, var, steps),
    )
alternative("eps-halved", "half of ε is added", epsilon=lambda m: m.eps / 2)
alternative("eps-rooted", "the root of ε is added to the variance", epsilon=lambda m: m.eps**0.5)
alternative(
    "root-of-eps-outside",
    "√ε is added outside the root",
    "1/(√v + √ε)",
    remedy=_INSIDE,
    inverse_std=lambda m, var: 1 / (root(var) + m.eps**0.5),
)
alternative(
    "eps-subtracted",
    "ε is subtracted",
    "1/√(v − ε)",
    inverse_std=lambda m, var: 1 / root(var - m.eps),
)
alternative(
    "eps-relative",
    "ε is taken relative to the variance",
    "1/√(v·(1+ε))",
    inverse_std=lambda m, var: 1 / root(var * (1 + m.eps)),
)
alternative(
    "eps-as-floor",
    "ε is a lower limit of the variance instead of being added",
    "1/√max(v, ε)",
    remedy=_INSIDE,
    inverse_std=lambda m, var: 1 / root(maximum(var, m.eps)),
)
alternative(
    "eps-as-floor-of-std",
    "ε is a lower limit of the standard deviation instead of being added",
    "1/max(√v, ε)",
    remedy=_INSIDE,
    inverse_std=lambda m, var: 1 / maximum(root(var), m.eps),
)
family(
    "constant-floor-for-eps",
    "a lower limit of {c} for the variance stands in for ε",
    ANY_SIZE,
    lambda c: {"inverse_std": lambda m, var: 1 / root(maximum(var, float(c)))},
    formula="1/√max(v, c)",
    remedy=_INSIDE,
)
alternative(
    "eps-only-if-zero",
    "ε is added only where the variance is zero",
    inverse_std=lambda m, var: 1 / root(where(var.value == 0, exact(m.eps), exact(var))),
)
alternative(
    "eps-only-if-small",
    "ε is added only where the variance is below ε",
    inverse_std=lambda m, var: (
        1 / root(where(var.value < single(m.eps), add_eps(var, m.eps), exact(var)))
    ),
)
alternative(
    "eps-divided-by-rows",
    "ε is added to the sum of squares, so it is divided by N",
    epsilon=lambda m: m.eps / m.rows,
)
alternative(
    "root-missing",
    "the root is missing: it is divided by the variance",
    "(x−μ)/(v + ε)",
    remedy="divide by √(v + ε)",
    inverse_std=lambda m, var: 1 / add_eps(var, m.eps),
)
alternative(
    "variance-and-eps-squared",
    "v + ε is squared instead of rooted",
    "(x−μ)/(v + ε)²",
    inverse_std=lambda m, var: 1 / (add_eps(var, m.eps) * add_eps(var, m.eps)),
)
alternative(
    "fourth-root",
    "the root is taken twice",
    inverse_std=lambda m, var: 1 / root(root(add_eps(var, m.eps))),
)
alternative(
    "multiplied-by-std",
    "it is multiplied by the standard deviation instead of divided",
    inverse_std=lambda m, var: root(add_eps(var, m.eps)),
)
alternative(
    "not-scaled",
    "values are centred but not divided by the standard deviation",
    "y = γ·(x−μ) + β",
    inverse_std=lambda m, var: exact(np.ones(var.shape)),
)
for _kind, _round in (("bfloat16", to_bfloat16), ("float16", to_float16)):
    alternative(
        f"eps-{_kind}",
        f"ε is rounded to {_kind}",
        remedy="keep ε as a Python float",
        epsilon=lambda m, f=_round: float(f(np.array(m.eps))),
    )
    alternative(
        f"inverse-std-{_kind}",
        f"1/√(v+ε) is rounded to {_kind}",
        inverse_std=lambda m, var, f=_round: map_values(f, ReferenceModel.inverse_std(m, var)),
    )

_EPS = Parameter(tuple(10.0**k for k in range(-12, 3)))
_ASKED = "use the eps that the constructor was given"
family(
    "eps-hard-coded",
    "ε is {c}, whatever was asked for",
    _EPS,
    lambda c: {"epsilon": lambda m: c},
    formula="1/√(v + c)",
    remedy=_ASKED,
    convention="1e-5 is the default of PyTorch and flax, 1e-3 that of Keras and TensorFlow.",
)
family(
    "eps-at-least",
    "ε is raised to {c} where it is smaller",
    _EPS,
    lambda c: {"epsilon": lambda m: max(m.eps, c)},
    formula="1/√(v + max(ε, c))",
    remedy=_ASKED,
    convention="cuDNN, and with it fused TensorFlow, takes 1.001e-5 as the least ε.",
    needs=2,
)
family(
    "eps-at-most",
    "ε is cut to {c} where it is larger",
    _EPS,
    lambda c: {"epsilon": lambda m: min(m.eps, c)},
    formula="1/√(v + min(ε, c))",
    remedy=_ASKED,
    needs=2,
)
family(
    "eps-scaled",
    "ε is {c} times what was asked for",
    Parameter((1e-6, 1e-3, 0.01, 0.1, 0.3, 0.9, 1.1, 3, 10, 100, 1e3, 1e6)),
    lambda c: {"epsilon": lambda m: c * m.eps},
    formula="1/√(v + c·ε)",
    remedy=_ASKED,
)
family(
    "eps-added",
    "{c} is added to ε",
    ANY_SIZE,
    lambda c: {"epsilon": lambda m: m.eps + c},
    formula="1/√(v + ε + c)",
    remedy=_ASKED,
)
family(
    "tiny-variance-is-constant",
    "features with a variance below {c} are taken as constant: z = 0",
    Parameter(tuple(10.0**k for k in range(-16, 1)), threshold=True),
    lambda c: {
        "inverse_std": lambda m, var: where(
            var.value < c, exact(0.0), ReferenceModel.inverse_std(m, var)
        )
    },
    remedy="let ε take care of small variances",
    needs=2,
)
