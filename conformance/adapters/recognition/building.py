"""Builds modules to experiment on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.adapters.recognition.constructor import (
    WIDTH,
    Plan,
)
from conformance.adapters.recognition.mode_choice import list_modes
from conformance.adapters.recognition.specimen import Specimen, find_holders


def label_of(name: str) -> str:
    """Return the name of the object that the user typed, without its place."""
    return name.rpartition(":")[2].rpartition(".")[2]


def make_specimen(
    plan: Plan, features: int = WIDTH, further: Mapping[str, Any] | None = None
) -> Specimen:
    """Return a module to experiment on.

    Some create their arrays lazily, in the first call; whether they may is for a requirement to
    judge.
    """

    def renew() -> Any:
        module = plan.construct(features, further)
        if not find_holders(module):
            _call_once(module, features)
        return module

    return Specimen(renew(), renew)


def _call_once(module: Any, features: int) -> None:
    for mode in list_modes(module):
        for shape in ((5, features), (2, 4, 5, features), (2, features, 4, 5)):
            try:
                mode.calling.native(module, np.ones(shape, np.float32), False)
            except Exception:  # noqa: BLE001, S112  the next one may work
                continue
            return
