"""Random streams for constructors, reused as long as nobody can notice.

Constructing an ``nnx.Rngs`` costs more than half as much as the rest of a layer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.adapters.config_objects import gather_configs

_UNUSED: dict[int, tuple[nnx.Rngs, tuple[Any, ...]]] = {}
"""By seed: streams that are at their start and that nobody refers to, and their fingerprint."""

_MAX_UNUSED = 8
_START = jnp.zeros((), jnp.uint32)


def construct(
    module: Callable[..., Any], seed: int, arguments: Mapping[str, Any], name: str = "rngs"
) -> Any:
    """Return ``module(**arguments, rngs=nnx.Rngs(seed))``.

    The streams are reset and reused unless the constructor has kept or changed them. They are
    always new under a transform, where outer state must not change, and in an interpreter whose
    reference counts are not exact.

    Args:
        module: A class or function that takes random streams.
        seed: The seed of the streams.
        arguments: Its other arguments; with dots, "config.eps", for those in a configuration.
        name: The name of the argument for the streams; empty if there is none.
    """
    arguments = gather_configs(module, arguments)
    if not name:
        return module(**arguments)
    if isinstance(_START + 0, jax.core.Tracer) or not _counts_references():
        return module(**arguments, **{name: nnx.Rngs(seed)})
    rngs, before = _UNUSED.pop(seed, None) or (nnx.Rngs(seed), None)
    if not all(isinstance(part, nnx.Variable) for part in (rngs.default.key, rngs.default.count)):
        return module(**arguments, **{name: rngs})  # an older flax, whose streams hold plain arrays
    before = before or _fingerprint(rngs)
    constructed = module(**arguments, **{name: rngs})
    if _fingerprint(rngs) == before and len(_UNUSED) < _MAX_UNUSED:
        rngs.default.count.set_value(_START)
        _UNUSED[seed] = rngs, before
    return constructed


def _counts_references() -> bool:
    """Whether ``sys.getrefcount`` counts every reference: in CPython, while the GIL is on."""
    gil_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return sys.implementation.name == "cpython" and gil_enabled()


def _fingerprint(rngs: nnx.Rngs) -> tuple[Any, ...]:
    """Return what changes if the streams are kept, or changed other than by drawing from them."""
    stream = rngs.default
    parts = (rngs, stream, stream.key, stream.count)
    references = tuple(map(sys.getrefcount, parts))
    return references, *map(id, parts), *vars(rngs), *vars(stream), id(stream.key.get_value())
