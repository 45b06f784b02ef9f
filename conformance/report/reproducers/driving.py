"""Functions, copied into scripts, that call a layer.

``Layer``, ``NAMES`` and ``build`` are those of the script: ``NAMES`` are the layer's names for
gamma, beta, running_mean and running_var, and ``build`` calls its constructor.
"""

from __future__ import annotations

import copy
import pickle
import tempfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

NAMES: dict[str, str] = {}


def held(layer: Any, name: str) -> Any:
    """One of the four arrays, as the layer stores it."""
    holder = getattr(*place(layer, name))
    return holder.get_value() if isinstance(holder, nnx.Variable) else holder


def numbers(value: Any) -> Any:
    """A copy of an array of numbers; anything else raises."""
    array = np.array(value)
    return array if array.astype(np.float64) is not None else None


def read(layer: Any) -> Any:
    """Copies of the four arrays."""
    return {name: np.array(held(layer, name)) for name in NAMES}


def place(layer: Any, name: str) -> tuple[Any, str]:
    """The module that has one of the four arrays, and the name of the attribute."""
    *inside, last = NAMES[name].split(".")
    for part in inside:
        layer = getattr(layer, part)
    return layer, last


def write(layer: Any, state: Any) -> None:
    """Replace arrays of the layer, as a restore does."""
    for name, value in state.items():
        holder, now = getattr(*place(layer, name)), held(layer, name)
        if isinstance(holder, nnx.Variable):
            given = jnp.asarray(value, getattr(now, "dtype", None))
            holder.set_value(given.reshape(np.shape(now)))
        else:
            setattr(*place(layer, name), jnp.asarray(value))


def call(layer: Any, x: Any, use_running_average: Any) -> Any:
    """One call."""
    return layer(x, use_running_average=use_running_average)


def train(layer: Any, x: Any) -> Any:
    """One training call."""
    return call(layer, x, False)


def evaluate(layer: Any, x: Any) -> Any:
    """One evaluation call."""
    return call(layer, x, True)


def plain(leaf: Any) -> Any:
    """A leaf of the state as a NumPy array; a random key as its data."""
    key = jnp.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key)
    return np.array(jax.random.key_data(leaf) if key else leaf)


def leaves(layer: Any, *filters: Any) -> Any:
    """The leaves of nnx.split by path."""
    flat = nnx.to_flat_state(nnx.state(layer, *filters))
    return {path: leaf.get_value() if hasattr(leaf, "get_value") else leaf for path, leaf in flat}


def path_of(layer: Any, name: str) -> Any:
    """The path of one of the four arrays in the state."""
    holder = getattr(*place(layer, name), None)
    found = [tuple(path) for path, node in nnx.iter_graph(layer) if node is holder and path]
    return found[0] if found else tuple(NAMES[name].split("."))


def paths_of(layer: Any, *names: str) -> Any:
    """The paths of some of the four arrays in the state."""
    return sorted(path_of(layer, name) for name in names)


def buffer(leaf: Any) -> Any:
    """An identifier of the memory of a leaf."""
    there = isinstance(leaf, jax.Array) and leaf.is_fully_addressable
    return leaf.addressable_shards[0].data.unsafe_buffer_pointer() if there else id(leaf)


def attributes(layer: Any) -> Any:
    """The Python attributes that are not state, including those of submodules."""
    arrays = nnx.Variable | jax.Array | np.ndarray | nnx.Pytree
    return {
        ".".join(map(str, (*path, name))): repr(value)
        for path, inside in nnx.iter_graph(layer)
        if isinstance(inside, nnx.Module)
        for name, value in vars(inside).items()
        if not name.startswith("_pytree__") and not isinstance(value, arrays)
    }


def saved(tree: Any) -> Any:
    """The same values, copied to NumPy and back, as saving and loading does."""

    def through_numpy(leaf: Any) -> Any:
        if jnp.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key):
            return jax.random.wrap_key_data(
                jnp.asarray(plain(leaf)), impl=jax.random.key_impl(leaf)
            )
        return jnp.asarray(plain(leaf))

    return jax.tree.map(through_numpy, tree)


def merged_again(layer: Any) -> Any:
    """nnx.split, the state through NumPy, nnx.merge."""
    graphdef, state = nnx.split(layer)
    return nnx.merge(graphdef, saved(state))


def merged_by_kind(layer: Any) -> Any:
    """nnx.split by nnx.Param, both states through NumPy, nnx.merge."""
    graphdef, parameters, rest = nnx.split(layer, nnx.Param, ...)
    return nnx.merge(graphdef, saved(parameters), saved(rest))


def through_pure_dict(layer: Any, fresh: Any) -> Any:
    """The state as a pure dictionary, into a fresh layer."""
    values = saved(nnx.to_pure_dict(nnx.state(layer)))
    graphdef, state = nnx.split(fresh)
    nnx.replace_by_pure_dict(state, values)
    return nnx.merge(graphdef, state)


def through_flat_state(layer: Any, fresh: Any) -> Any:
    """The flat state, into the graph definition of a fresh layer."""
    flat = [(path, saved(leaf)) for path, leaf in nnx.to_flat_state(nnx.state(layer))]
    return nnx.merge(nnx.graphdef(fresh), nnx.from_flat_state(flat))


def through_leaves(layer: Any, fresh: Any) -> Any:
    """The list of leaves, into a fresh layer."""
    values = saved(jax.tree.leaves(nnx.state(layer)))
    nnx.update(fresh, jax.tree.unflatten(jax.tree.structure(nnx.state(fresh)), values))
    return fresh


def pickled(layer: Any) -> Any:
    """The layer after pickling and unpickling."""
    return pickle.loads(pickle.dumps(layer, pickle.HIGHEST_PROTOCOL))  # noqa: S301


def deep_copied(layer: Any) -> Any:
    """A copy by copy.deepcopy."""
    return copy.deepcopy(layer)


def through_checkpoint(layer: Any, fresh: Any) -> None:
    """Save the state with Orbax, and restore it into a fresh layer."""
    import orbax.checkpoint as orbax  # type: ignore[import-untyped]  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, orbax.StandardCheckpointer() as checkpointer:
        checkpointer.save(f"{folder}/state", nnx.state(layer))
        checkpointer.wait_until_finished()
        nnx.update(fresh, checkpointer.restore(f"{folder}/state", nnx.state(fresh)))


def update(layer: Any, source: Any, *names: str) -> None:
    """nnx.update with the named arrays of another layer."""
    wanted = [path_of(layer, name) for name in names]
    flat = nnx.to_flat_state(nnx.state(source))
    nnx.update(layer, nnx.from_flat_state([(path, leaf) for path, leaf in flat if path in wanted]))


def refuses(layer: Any, x: Any, use_running_average: Any) -> bool:
    """Whether the call raises."""
    try:
        call(layer, x, use_running_average)
    except Exception:  # noqa: BLE001  any exception is a refusal
        return True
    return False
