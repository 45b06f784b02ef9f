"""Tells y and new statistics apart in what a function returns."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from conformance.adapters.errors import AdapterError
from conformance.adapters.protocols import ARRAYS, STATISTICS
from conformance.adapters.synonyms import normalize, role_of
from conformance.adapters.trees import name_of

_OUTPUTS = {"y", "out", "output", "outputs", "result", "normalized", "yhat"}


def read_result(
    result: Any, shape: tuple[int, ...], features: int, returns: tuple[str, ...]
) -> tuple[Any, dict[str, Any]]:
    """Return y, and the other results by the names in ``ARRAYS`` or by their own keys.

    In a dict or named tuple the names decide. Elsewhere y is what has the shape of x, and the two
    results with D numbers are the running mean and the running variance, in this order.

    Args:
        result: What the function returned.
        shape: The shape of x.
        features: D.
        returns: What the results are, if the author says so.

    Raises:
        AdapterError: There are several ways to read it.
    """
    flat = [(name_of(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(result)[0]]
    if returns:
        if len(flat) != len(returns):
            msg = f"returns={returns!r}: the function returned {len(flat)} results."
            raise AdapterError(msg)
        named = dict(zip(returns, (leaf for _, leaf in flat), strict=True))
        return named.pop("y"), named
    keys = [path.rpartition(".")[2] for path, _ in flat]
    index = _find_output(keys, [np.shape(leaf) for _, leaf in flat], shape)
    after: dict[str, Any] = {}
    unnamed = []
    for position, (key, (_, leaf)) in enumerate(zip(keys, flat, strict=True)):
        if position == index:
            continue
        if key and not key.isdigit():
            after[role_of(key) or key] = leaf
        elif np.size(leaf) == features:
            unnamed.append(leaf)
    names = {2: STATISTICS, 4: ARRAYS}.get(len(unnamed), ())
    if unnamed and not names:
        msg = (
            f"the function returned {len(unnamed)} unnamed results with D numbers: write "
            'returns=("y", "running_mean", "running_var", …), with names for all of its results.'
        )
        raise AdapterError(msg)
    return flat[index][1], dict(zip(names, unnamed, strict=True)) | after


def _find_output(keys: list[str], shapes: list[tuple[int, ...]], shape: tuple[int, ...]) -> int:
    named = [index for index, key in enumerate(keys) if normalize(key) in _OUTPUTS]
    alike = [index for index, own in enumerate(shapes) if own == tuple(shape)]
    return next(iter([*named, *alike, 0]))
