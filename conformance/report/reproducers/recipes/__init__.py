"""How each requirement becomes a script: a module per family, beside ``conformance.properties``.

A recipe is given a ``Script`` and what the claim of its requirement was given. It writes down the
steps of the claim as plain code, and asks for its comparisons by the names that they have there.
"""

from __future__ import annotations

from conformance.report.reproducers.recipes import (
    averages,
    both_modes,
    compiled,
    evaluation,
    forward,
    gradients,
    independence,
    initial,
    sequences,
    serialisation,
    state,
    training,
    transforms,
    wider,
)
from conformance.report.reproducers.recipes.registry import RECIPES, Recipe

__all__ = [
    "RECIPES",
    "Recipe",
    "averages",
    "both_modes",
    "compiled",
    "evaluation",
    "forward",
    "gradients",
    "independence",
    "initial",
    "sequences",
    "serialisation",
    "state",
    "training",
    "transforms",
    "wider",
]
