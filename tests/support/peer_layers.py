"""The registered layers of other frameworks, as far as these are installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from conformance.adapters import peers
from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
POINTS = PROJECT["entry-points"]["conformance.implementations"]
NAMES = {
    name: point.rpartition(":")[2]
    for name, point in POINTS.items()
    if point.startswith("conformance.adapters.peers:")
}


def implementation_of(name: str) -> Implementation:
    """Return the implementation, or skip the test where the framework is not installed."""
    try:
        return getattr(peers, NAMES[name])()
    except AdapterError as error:
        if "is not installed" not in str(error):
            raise
        pytest.skip(str(error))
