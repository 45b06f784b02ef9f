"""flax's BatchNorm, with the names of its arguments and attributes."""

from __future__ import annotations

from flax import nnx

from conformance.adapters.domain import FLAX_DOMAIN
from conformance.adapters.implementation import Implementation
from conformance.requirements.deviations import Deviation


def two_pass() -> Implementation:
    """Return the layer with ``use_fast_variance=False``."""
    return _make("flax", frozenset(), {"use_fast_variance": False})


def one_pass() -> Implementation:
    """Return the layer with its default options, which compute the variance in one pass."""
    return _make("flax-default", frozenset({Deviation.ONE_PASS_VARIANCE}), {})


def _make(
    name: str, deviations: frozenset[Deviation], arguments: dict[str, bool]
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
        wider=FLAX_DOMAIN,
        kind="flax-shaped nnx.Module",
    )
