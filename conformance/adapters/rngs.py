"""Random streams for constructors: as good as new each time, made once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

_UNUSED: dict[int, tuple[nnx.Rngs, tuple[Any, ...]]] = {}
"""Streams by seed, at their beginning, that nobody else refers to, and the condition of those."""

_KEPT = 8
_BEGINNING = jnp.zeros((), jnp.uint32)


def construct(module: Callable[..., Any], seed: int, arguments: Mapping[str, Any]) -> Any:
    """Return ``module(**arguments, rngs=nnx.Rngs(seed))``.

    Making the streams costs more than half as much as the rest of a layer. They are set back
    and used again unless the constructor has kept or changed them; then they are its own.
    Under a transform they are always new, because what belongs outside must not change inside.
    """
    if isinstance(_BEGINNING + 0, jax.core.Tracer):
        return module(**arguments, rngs=nnx.Rngs(seed))
    rngs, before = _UNUSED.pop(seed, None) or (nnx.Rngs(seed), None)
    if not all(isinstance(part, nnx.Variable) for part in (rngs.default.key, rngs.default.count)):
        return module(**arguments, rngs=rngs)  # an older flax, whose streams hold plain arrays
    before = before or _condition(rngs)
    made = module(**arguments, rngs=rngs)
    if _condition(rngs) == before and len(_UNUSED) < _KEPT:
        rngs.default.count.set_value(_BEGINNING)
        _UNUSED[seed] = rngs, before
    return made


def _condition(rngs: nnx.Rngs) -> tuple[Any, ...]:
    """Return what changes if the streams are kept, or changed other than by drawing from them."""
    stream = rngs.default
    parts = (rngs, stream, stream.key, stream.count)
    references = tuple(map(sys.getrefcount, parts))
    return references, *map(id, parts), *vars(rngs), *vars(stream), id(stream.key.get_value())
