"""A requirement: one numbered, testable sentence, its reason and its source."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How binding a requirement is, in the sense of RFC 2119."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class Capability(Enum):
    """What an implementation must offer for a requirement to apply."""

    LAYER = "layer"
    """A layer of four arrays that can be constructed, called, read and written."""
    FORWARD = "forward"
    """A function ``f(seed, x, use_running_average)``."""
    NNX = "nnx"
    """A layer that is a ``flax.nnx.Module``."""
    GRAD = "grad"
    """A layer whose calls JAX can differentiate in reverse mode."""
    NNX_GRAD = "nnx grad"
    """A ``flax.nnx.Module`` that JAX can differentiate in reverse mode."""
    FORWARD_MODE = "forward mode"
    """A layer whose calls can be differentiated in forward mode."""
    SECOND = "second derivatives"
    """A layer whose gradients can be differentiated in reverse mode."""
    FORWARD_OVER_REVERSE = "forward over reverse"
    """A layer whose gradients JAX can differentiate in forward mode."""
    TRANSFORMS = "transforms"
    """A layer that JAX can transform: a ``flax.nnx.Module`` or a pure function of arrays."""
    TRANSFORMS_GRAD = "transforms grad"
    """A layer that JAX can transform and differentiate in reverse mode."""
    NDIM = "ndim"
    """A layer whose declared domain has inputs of more than two axes."""
    MASK = "mask"
    """A layer whose declared domain has a mask."""
    DTYPES = "dtypes"
    """A layer whose declared domain has inputs of 16 bits."""
    DTYPES_GRAD = "dtypes grad"
    """A layer whose declared domain has inputs of 16 bits and outputs of at least 32."""
    X64 = "x64"
    """A layer whose declared domain has inputs of float64."""
    SYNC = "sync"
    """A layer whose declared domain has statistics shared over a named axis."""
    MASKED_SYNC = "masked sync"
    """A layer whose declared domain has both a mask and a named axis."""


TRANSFORMS = (
    "nnx.jit or jax.jit",
    "nnx.jit",
    "jax.jit",
    "nnx.vmap or jax.vmap",
    "jax.vmap",
    "jax.shard_map",
    "nnx.scan or jax.lax.scan",
    "nnx.remat or jax.checkpoint",
    "nnx.grad",
    "jax.vjp",
    "jax.jvp",
    "jax.linearize",
    "nnx.split and nnx.merge",
    "nnx.Optimizer",
    "donation",
    "abstract evaluation",
)
"""Transforms of a layer, in the order in which reports list them."""


def family_of(identity: str) -> str:
    """Return the family of any id, ``EMA`` of ``BN-EMA-1``; empty if it has none."""
    return identity.removeprefix("BN-").rpartition("-")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One row of the requirement table.

    Attributes:
        id: ``BN-<FAMILY>-<number>``; its meaning never changes.
        statement: What a layer must, should or may do. What it does where it may is observed, and
            not judged.
        level: How binding it is.
        needs: What an implementation must offer.
        formula: The statement as a formula; empty if words suffice.
        why: The reason.
        mistakes: Common ways to violate it; none of a MAY.
        grounds: What demands it: "the problem: …", "mathematics: …" or, in an extended domain,
            "declared: …". A SHOULD or MAY says what is left open.
        source: Where it comes from.
        transforms: The members of ``TRANSFORMS`` that judging it applies to the layer.
        on_word: Judging it takes facts that only the process of the layer can observe.
        until: The last edition that has it; empty if the next one has it as well.
    """

    id: str
    statement: str
    level: Level = Level.MUST
    needs: Capability = Capability.LAYER
    formula: str = ""
    why: str
    mistakes: tuple[str, ...] = ()
    grounds: str
    source: str
    transforms: tuple[str, ...] = ()
    on_word: bool = False
    until: str = ""

    @property
    def family(self) -> str:
        """The middle part of the id, ``EMA`` of ``BN-EMA-1``."""
        return family_of(self.id)

    @property
    def number(self) -> int:
        """The last part of the id, ``1`` of ``BN-EMA-1``."""
        return int(self.id.rsplit("-", 1)[1])
