"""flax's own BatchNorm, under the argument and attribute names that it has."""

from __future__ import annotations

from flax import nnx

from conformance.adapters.domain import AT_LEAST_FLOAT32, Wider
from conformance.adapters.implementation import Implementation
from conformance.requirements.deviations import Deviation

_DOMAIN = Wider(
    ndim=True,
    axis="axis",
    mask="mask",
    dtype="dtype",
    precisions=AT_LEAST_FLOAT32,
    axis_name="axis_name",
)
"""As its documentation has it: statistics are always at least float32, and stored so."""


def two_pass() -> Implementation:
    """Return the layer with ``use_fast_variance=False``."""
    return _builtin("flax", frozenset(), {"use_fast_variance": False})


def as_it_comes() -> Implementation:
    """Return the layer with its defaults, which compute the variance in one pass."""
    return _builtin("flax-default", frozenset({Deviation.ONE_PASS_VARIANCE}), {})


def widened() -> Implementation:
    """Return the two-pass layer with its feature axis, mask, dtype and named axis declared."""
    return _builtin("flax-wide", frozenset(), {"use_fast_variance": False}, _DOMAIN)


def _builtin(
    name: str,
    deviations: frozenset[Deviation],
    arguments: dict[str, bool],
    wider: Wider | None = None,
) -> Implementation:
    return Implementation.nnx(
        nnx.BatchNorm,
        name=name,
        features="num_features",
        eps="epsilon",
        gamma="scale",
        beta="bias",
        running_mean="mean",
        running_var="var",
        arguments=arguments,
        deviations=deviations,
        wider=wider,
        kind="flax-shaped nnx.Module",
    )
