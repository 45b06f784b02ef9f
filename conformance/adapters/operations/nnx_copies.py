"""Operations that take an ``nnx.Module`` apart, copy it, restore it, or update it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from flax import nnx

from conformance.adapters.array_parts import replace_part, take_part
from conformance.adapters.errors import describe
from conformance.adapters.nnx import NnxLayer, value_of
from conformance.adapters.nnx_restoring import COPIED, RESTORED
from conformance.adapters.nnx_transforms import path_at
from conformance.adapters.operations.values import Impossible, Live


def copy_by(layer: NnxLayer, way: str) -> Live:
    """Return an independent copy of a layer.

    Args:
        layer: The layer.
        way: "nnx.clone", "copy.deepcopy" or "pickle".
    """
    return Live(layer.around(COPIED[way](layer.module)))


def restore_through(layer: NnxLayer, fresh: NnxLayer, way: str) -> Live:
    """Return a layer that was taken apart and put together again.

    Args:
        layer: The layer.
        fresh: A layer of the same configuration, built from another seed.
        way: A key of ``conformance.adapters.nnx_restoring.RESTORED``.
    """
    return Live(layer.around(RESTORED[way](layer.module, fresh.module)))


def restore_checkpoint(layer: NnxLayer, fresh: NnxLayer) -> Impossible | None:
    """Write the state of a layer to disk with Orbax, and restore it into another layer.

    Args:
        layer: The layer to save.
        fresh: A layer of the same configuration, whose state is replaced.

    Returns:
        ``Impossible`` if Orbax cannot be imported, or the disk refuses: the requirement is then
        errored, neither conforming nor violated.
    """
    try:
        # imported here, because it takes a second and only one requirement needs it
        import orbax.checkpoint as orbax  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as error:
        return Impossible(describe(error))
    with (
        tempfile.TemporaryDirectory(prefix="conformance-") as folder,
        orbax.StandardCheckpointer() as checkpointer,
    ):
        path = Path(folder).resolve() / "state"
        try:
            checkpointer.save(path, nnx.state(layer.module))
            checkpointer.wait_until_finished()
            nnx.update(fresh.module, checkpointer.restore(path, nnx.state(fresh.module)))
        except OSError as error:
            return Impossible(describe(error))
    return None


def update_from(layer: NnxLayer, source: NnxLayer, names: list[str]) -> None:
    """Write the named arrays of one layer into another by ``nnx.update``.

    Args:
        layer: The layer to write into.
        source: A layer of the same configuration.
        names: Names of arrays, and of the count of updates.
    """
    new = dict(nnx.to_flat_state(nnx.state(source.module)))
    own = dict(nnx.to_flat_state(nnx.state(layer.module)))
    chosen: dict[Any, Any] = {}
    for name in names:
        path, key = path_at(layer, layer.attributes[name]), layer.access.parts.get(name, ())
        if not key:
            chosen[path] = new[path]
            continue  # else the other arrays that it holds are to stay
        held = value_of(chosen.get(path, own[path]))
        part = take_part(value_of(new[path]), key)
        chosen[path] = new[path].replace(replace_part(held, key, part))
    nnx.update(layer.module, nnx.from_flat_state(list(chosen.items())))
