"""Marks what a module reads from its Variables and writes into them, where it does so."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx
from jax.ad_checkpoint import checkpoint_name

READ, WRITTEN = "read", "written"


def mark(module: Any) -> Any:
    """Let each use of an array of a module be an equation that computes nothing; return it."""
    for _, node in nnx.iter_graph(module):
        if isinstance(node, nnx.Variable):
            metadata = node.get_metadata()
            for hook, function in (("on_get_value", _read), ("on_set_value", _written)):
                others = metadata.get(hook, ())
                others = others if isinstance(others, tuple) else (others,)
                node.set_metadata(hook, (*others, function))
    return module


def _read(_: Any, value: Any) -> Any:
    return checkpoint_name(value, READ) if isinstance(value, jax.Array) else value


def _written(_: Any, value: Any) -> Any:
    return checkpoint_name(value, WRITTEN) if isinstance(value, jax.Array) else value
