"""The sample of a large family that the default run judges; the rest is marked ``exhaustive``.

The marker comes from this module alone. ``pytest`` deselects it by default (``addopts`` in
pyproject.toml), ``pytest -m exhaustive`` runs the rest, and ``pytest -m ''`` runs everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import pytest

from conformance.requirements import THEMES

exhaustive = pytest.mark.exhaustive

THEME_OF: dict[str, str] = {
    row.id: theme
    for theme in THEMES
    for row in import_module(f"conformance.requirements.{theme}").ROWS
}
"""The theme of each requirement, by id."""


def sample_names(names: Iterable[str], *, group: Callable[[str], str], every: int) -> set[str]:
    """Return the first name of each group, and every ``every``-th name."""
    listed = list(names)
    first = {group(name): name for name in reversed(listed)}
    return {*first.values(), *listed[::every]}


def sample_parameters(
    names: Iterable[str], *, group: Callable[[str], str], every: int
) -> list[Any]:
    """Return a parameter for each name, in order; those outside the sample are ``exhaustive``."""
    listed = list(names)
    sample = sample_names(listed, group=group, every=every)
    return [
        pytest.param(name, id=name, marks=() if name in sample else exhaustive) for name in listed
    ]
