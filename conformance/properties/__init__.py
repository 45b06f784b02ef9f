"""The properties: one requirement, one function, one claim; a module per family.

Each function takes a ``Subject`` and generated values, acts, asks the oracle and the bounds,
and makes its checks. It has no ``test_`` prefix: the plugin collects by requirement, whatever
naming rules the user's project has for its own tests.
"""

from __future__ import annotations

from conformance.properties import (
    affine,
    compiled,
    dimensions,
    ema,
    evaluation,
    forward,
    gradients,
    independence,
    initial,
    jitted,
    masks,
    numerics,
    owners,
    precision,
    refusals,
    sequences,
    serialisation,
    shapes,
    state,
    synchronised,
    training,
    transforms,
)
from conformance.properties.registry import PROPERTIES, Property

__all__ = [
    "PROPERTIES",
    "Property",
    "affine",
    "compiled",
    "dimensions",
    "ema",
    "evaluation",
    "forward",
    "gradients",
    "independence",
    "initial",
    "jitted",
    "masks",
    "numerics",
    "owners",
    "precision",
    "refusals",
    "sequences",
    "serialisation",
    "shapes",
    "state",
    "synchronised",
    "training",
    "transforms",
]
