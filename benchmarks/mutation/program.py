"""Whether a mutant still is the same program: what JAX traces, for a few shapes and settings.

Most survivors of flax's BatchNorm are: an edit of a default that the suite overrides, of a
branch for masks that is taken with ``mask=None``. For them one jaxpr is as good as all the
values that it could be run on.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config

_SHAPES = ((1, 1), (1, 3), (4, 1), (5, 3), (3, 5), (2, 2))
_SETTINGS = ((0.9, 1e-5), (0.0, 1e-3), (1.0, 0.5), (0.37, 2e-4))


def program(implementation: Implementation) -> str:
    """Return construction and both modes as text: graph, values, jaxprs, graph afterwards."""
    parts: list[str] = []
    for rows, features in _SHAPES:
        for momentum, eps in _SETTINGS:
            config = Config(features=features, momentum=momentum, eps=eps)
            parts += _of_one(implementation, config, rows)
    return "\n".join(parts)


def _of_one(implementation: Implementation, config: Config, rows: int) -> list[str]:
    assert implementation.build is not None
    module: Any = implementation.build(config).module  # type: ignore[attr-defined]
    graph, state = nnx.split(module)
    parts = [_graph_text(module)]
    parts += [f"{path}: {leaf.dtype} {np.array(leaf).tolist()}" for path, leaf in _leaves(state)]
    x = jnp.zeros((rows, config.features), jnp.float32)
    for flag in (False, True):

        def call(state: Any, x: Any, flag: bool = flag) -> Any:
            layer = nnx.merge(graph, state)
            y = layer(x, use_running_average=flag)
            return y, nnx.state(layer)

        parts.append(str(jax.make_jaxpr(call)(state, x)))
        y = module(x, use_running_average=flag)
        parts += [f"{y.shape} {y.dtype}", _graph_text(module)]
    return parts


def _leaves(state: Any) -> list[tuple[str, Any]]:
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree.leaves_with_path(state)]


def _graph_text(module: Any) -> str:
    """Return the attributes and the metadata of the Variables, without addresses."""
    shown = []
    for name, value in sorted(vars(module).items()):
        if isinstance(value, nnx.Variable):
            shown.append(f"{name}: {type(value).__name__} {sorted(value.get_metadata())}")
        elif not name.startswith("_") and not callable(value):
            shown.append(f"{name}={value!r}")
    return ", ".join(shown)
