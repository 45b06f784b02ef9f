"""Arrays applied along the wrong axis, and the last block of features."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, where
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.reference_model import ReferenceModel


def _along_rows(z: Approximate, array: Approximate) -> Approximate:
    """Return the array as (N, 1) if there are as many rows as features, else unchanged."""
    rows, features = z.shape
    return array[:, None] if rows == features else array


_LAYOUTS: dict[str, tuple[str, Any]] = {
    "gamma-along-rows": ("γ scales", lambda m, z: _along_rows(z, m.gamma) * z + m.beta),
    "beta-along-rows": ("β shifts", lambda m, z: m.gamma * z + _along_rows(z, m.beta)),
    "affine-along-rows": (
        "γ and β are applied to",
        lambda m, z: _along_rows(z, m.gamma) * z + _along_rows(z, m.beta),
    ),
}
for _id, (_words, _affine) in _LAYOUTS.items():
    alternative(
        _id,
        f"where N = D, {_words} the rows instead of the features",
        remedy="tell the axes apart by their position, never by their size",
        needs=2,
        affine=_affine,
    )

_WIDTHS = Parameter((2, 3, 4, 8, 16, 32, 64, 128, 256), threshold=True)


def _within(width: float, features: int) -> Any:
    """Return which features belong to a full block, (D,); all of them if there is no full block."""
    full = features // int(width) * int(width) or features
    return np.arange(features) < full


def _tail_kept(width: float) -> dict[str, Any]:
    def update(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> None:
        before, inside = (m.running_mean, m.running_var), _within(width, x.shape[1])
        ReferenceModel.update(m, x, mean, var)
        m.running_mean = where(inside, m.running_mean, before[0])
        m.running_var = where(inside, m.running_var, before[1])

    return {"update": update}


def _tail_as_it_is(width: float) -> dict[str, Any]:
    def normalized(
        m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate
    ) -> Approximate:
        z = ReferenceModel.normalized(m, x, mean, var)
        return where(_within(width, x.shape[1]), z, x)

    return {"normalized": normalized}


family(
    "tail-of-features-never-stored",
    "the running statistics of features beyond the last full block of {c} are never updated",
    _WIDTHS,
    _tail_kept,
    remedy="handle the last block of features",
    needs=2,
)
family(
    "tail-of-features-not-normalised",
    "features beyond the last full block of {c} are not normalised",
    _WIDTHS,
    _tail_as_it_is,
    remedy="handle the last block of features",
    needs=2,
)
