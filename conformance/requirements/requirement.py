"""What a requirement is: one numbered, testable sentence and what surrounds it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How binding a requirement is, in the sense of RFC 2119."""

    MUST = "must"
    SHOULD = "should"


class Capability(Enum):
    """What an implementation has to offer before a requirement can apply to it."""

    LAYER = "layer"
    """A layer with four arrays that can be built, called, read and written."""
    FORWARD = "forward"
    """A function ``f(seed, x, use_running_average)``."""
    NNX = "nnx"
    """A layer that is a live ``flax.nnx.Module``."""
    GRAD = "grad"
    """A layer whose calls JAX can differentiate in reverse mode."""
    NNX_GRAD = "nnx grad"
    """A live ``flax.nnx.Module`` that JAX can differentiate in reverse mode."""
    TRANSFORMS = "transforms"
    """A layer that JAX can transform: a live ``flax.nnx.Module``, or a pure function of arrays."""
    TRANSFORMS_GRAD = "transforms grad"
    """Likewise, and JAX can differentiate it in reverse mode."""
    NDIM = "ndim"
    """A layer that declares to take inputs of more axes than two."""
    MASK = "mask"
    """A layer that declares to take a mask."""
    DTYPES = "dtypes"
    """A layer that declares what it does with inputs of 16 bits."""
    DTYPES_GRAD = "dtypes grad"
    """Likewise, with an output of at least 32 bits."""
    X64 = "x64"
    """A layer that declares what it does with float64."""
    SYNC = "sync"
    """A layer that declares to share its statistics over a named axis."""
    MASKED_SYNC = "masked sync"
    """A layer that declares both a mask and a named axis."""


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
    "nnx.split and nnx.merge",
    "nnx.Optimizer",
    "donation",
    "abstract evaluation",
)
"""What a layer can be put under, in the order of the matrix that shows it."""


def family_of(identity: str) -> str:
    """Return the middle part of an id, also of one that is not in the table; empty without one."""
    return identity.removeprefix("BN-").rpartition("-")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One row of the requirement table.

    ``id`` is ``BN-<FAMILY>-<number>`` and never changes its meaning; ``formula`` may be
    empty where the statement says it all; ``mistakes`` are the classical ways to break it;
    ``transforms`` are those of ``TRANSFORMS`` under which the layer is called to judge it.
    """

    id: str
    statement: str
    level: Level = Level.MUST
    needs: Capability = Capability.LAYER
    formula: str = ""
    why: str
    mistakes: tuple[str, ...]
    source: str
    transforms: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The middle part of the id, ``EMA`` in ``BN-EMA-1``."""
        return family_of(self.id)

    @property
    def number(self) -> int:
        """The last part of the id, ``1`` in ``BN-EMA-1``."""
        return int(self.id.rsplit("-", 1)[1])
