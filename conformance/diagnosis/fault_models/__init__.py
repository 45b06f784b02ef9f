"""The known mistakes, by the step of the computation in which they are made."""

from __future__ import annotations

from conformance.diagnosis.fault_model import ALTERNATIVES
from conformance.diagnosis.fault_models import (
    affine,
    averaging,
    backward,
    batch,
    calling,
    digits,
    evaluating,
    forwarding,
    gaining,
    gradients,
    guards,
    layouts,
    leaking,
    modes,
    momentum,
    precision,
    projecting,
    remembering,
    rooting,
    rows,
    starting,
    storing,
    variance,
)

_MODULES = (
    affine,
    variance,
    batch,
    rows,
    digits,
    rooting,
    averaging,
    momentum,
    storing,
    remembering,
    starting,
    modes,
    evaluating,
    precision,
    guards,
    forwarding,
    calling,
    layouts,
)
"""In the order in which mistakes that cannot be told apart are preferred: the plainest first."""

REGISTERED = tuple(
    name
    for module in _MODULES
    for name, made in ALTERNATIVES.items()
    if made.module == module.__name__
)
"""The ids of all alternatives in that order."""

BACKWARD = tuple(
    name
    for module in (backward, gradients, projecting, gaining, leaking)
    for name, made in ALTERNATIVES.items()
    if made.module == module.__name__
)
"""The ids of alternatives for gradients, tried where everything else is right."""
