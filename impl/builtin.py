"""flax's own BatchNorm, under the argument and attribute names that it has."""

from __future__ import annotations

from flax import nnx

from conformance.implementation import Deviation, Implementation


def two_pass() -> Implementation:
    """Return the layer with ``use_fast_variance=False``."""
    return _builtin("flax", frozenset(), {"use_fast_variance": False})


def as_it_comes() -> Implementation:
    """Return the layer with its defaults, which compute the variance in one pass."""
    return _builtin("flax-default", frozenset({Deviation.ONE_PASS_VARIANCE}), {})


def _builtin(
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
        kind="flax-shaped nnx.Module",
    )
