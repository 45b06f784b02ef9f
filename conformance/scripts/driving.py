"""What a script does with a layer, in functions that are copied into it.

``Layer``, ``NAMES``, ``build`` and ``forward`` are those of the script: ``NAMES`` are the layer's
own names for gamma, beta, running_mean and running_var, ``MASK`` is that of its argument for a mask,
and ``build`` calls its constructor. As
modules of their own these functions are only read.
"""

from __future__ import annotations

import copy
import gc
import pickle
import tempfile
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

NAMES: dict[str, str] = {}
MASK = "mask"


def held(layer: Any, name: str) -> Any:
    """One of the four arrays, as the layer holds it."""
    holder = getattr(layer, NAMES[name])
    return holder.get_value() if isinstance(holder, nnx.Variable) else holder


def numbers(value: Any) -> Any:
    """A copy of an array of numbers; anything else raises."""
    array = np.array(value)
    return array if array.astype(np.float64) is not None else None


def read(layer: Any) -> Any:
    """Copies of the four arrays."""
    return {name: np.array(held(layer, name)) for name in NAMES}


def write(layer: Any, state: Any) -> None:
    """Replace arrays of the layer, as a restore does."""
    for name, value in state.items():
        holder, now = getattr(layer, NAMES[name]), held(layer, name)
        if isinstance(holder, nnx.Variable):
            given = jnp.asarray(value, getattr(now, "dtype", None))
            holder.set_value(given.reshape(np.shape(now)))
        else:
            setattr(layer, NAMES[name], jnp.asarray(value))


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
    """A leaf of the state as NumPy holds it; a random key by its data."""
    key = jnp.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key)
    return np.array(jax.random.key_data(leaf) if key else leaf)


def leaves(layer: Any, *filters: Any) -> Any:
    """The leaves of nnx.split by path."""
    flat = nnx.to_flat_state(nnx.state(layer, *filters))
    return {path: leaf.get_value() if hasattr(leaf, "get_value") else leaf for path, leaf in flat}


def path_of(layer: Any, name: str) -> Any:
    """Where one of the four arrays stands in the state."""
    holder = getattr(layer, NAMES[name], None)
    found = [tuple(path) for path, node in nnx.iter_graph(layer) if node is holder and path]
    return found[0] if found else (NAMES[name],)


def paths_of(layer: Any, *names: str) -> Any:
    """Where some of the four arrays stand in the state."""
    return sorted(path_of(layer, name) for name in names)


def buffer(leaf: Any) -> Any:
    """What identifies the memory of a leaf."""
    there = isinstance(leaf, jax.Array) and leaf.is_fully_addressable
    return leaf.addressable_shards[0].data.unsafe_buffer_pointer() if there else id(leaf)


def attributes(layer: Any) -> Any:
    """The Python attributes that are no state."""
    arrays = nnx.Variable | jax.Array | np.ndarray | nnx.Pytree
    kept = {name: value for name, value in vars(layer).items() if not isinstance(value, arrays)}
    return {name: repr(value) for name, value in kept.items() if not name.startswith("_pytree__")}


def saved(tree: Any) -> Any:
    """The same values, copied to NumPy and back as saving and loading does."""

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
    """What pickle makes of the layer."""
    return pickle.loads(pickle.dumps(layer, pickle.HIGHEST_PROTOCOL))  # noqa: S301


def deep_copied(layer: Any) -> Any:
    """What copy.deepcopy makes of the layer."""
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


def merged_call(graphdef: Any, state: Any, x: Any, use_running_average: Any) -> Any:
    """y and the new state of a layer that is put together, called and taken apart."""
    layer = nnx.merge(graphdef, state)
    return call(layer, x, use_running_average), nnx.state(layer)


def called(graphdef: Any, state: Any, gamma: Any, beta: Any, x: Any, mode: Any) -> Any:
    """y and the new running statistics, as a function of gamma, beta and x."""
    layer = nnx.merge(graphdef, jax.tree.map(lambda leaf: leaf, state))
    write(layer, {"gamma": gamma, "beta": beta})
    y = call(layer, x, mode)
    return y, (held(layer, "running_mean"), held(layer, "running_var"))


def pullback(layer: Any, x: Any, use_running_average: Any) -> Any:
    """The backward pass of a call, not compiled."""
    graphdef, state = nnx.split(layer)

    def output(gamma: Any, beta: Any, x: Any) -> Any:
        return called(graphdef, state, gamma, beta, x, use_running_average)[0]

    gamma, beta = held(layer, "gamma"), held(layer, "beta")
    backward = jax.vjp(output, gamma, beta, jnp.asarray(x))[1]
    return lambda w: named(backward(jnp.asarray(w)))


def named(pulled: Any) -> Any:
    """Gradients by name."""
    return {name: np.array(of) for name, of in zip(("gamma", "beta", "x"), pulled, strict=True)}


def compiled_gradients(layer: Any, x: Any, w: Any, use_running_average: Any) -> Any:
    """The gradients of Σ w·y with respect to gamma, beta and x, under jax.jit."""
    graphdef, state = nnx.split(layer)

    def pulled(state: Any, gamma: Any, beta: Any, x: Any, w: Any) -> Any:
        def output(gamma: Any, beta: Any, x: Any) -> Any:
            return called(graphdef, state, gamma, beta, x, use_running_average)[0]

        return jax.vjp(output, gamma, beta, x)[1](w)

    gamma, beta = held(layer, "gamma"), held(layer, "beta")
    return named(jax.jit(pulled)(state, gamma, beta, jnp.asarray(x), w))


def gradient_of_statistics(layer: Any, x: Any, of_mean: Any, of_var: Any) -> Any:
    """The gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x, under jax.jit."""
    graphdef, state = nnx.split(layer)

    def pulled(state: Any, gamma: Any, beta: Any, x: Any) -> Any:
        def statistics_after(x: Any) -> Any:
            return called(graphdef, state, gamma, beta, x, False)[1]

        after, backward = jax.vjp(statistics_after, x)
        return backward((of_mean.astype(after[0].dtype), of_var.astype(after[1].dtype)))[0]

    gamma, beta = held(layer, "gamma"), held(layer, "beta")
    return np.array(jax.jit(pulled)(state, gamma, beta, jnp.asarray(x)))


def loss(layer: Any, x: Any, w: Any) -> Any:
    """Σ w·y of a training call."""
    return (w * train(layer, x)).sum()


def rematerialized_loss(layer: Any, x: Any, w: Any) -> Any:
    """The same, with the call under nnx.remat."""
    return (w * nnx.remat(train)(layer, x)).sum()


def of_params(layer: Any, grads: Any) -> Any:
    """The gradients of gamma and beta in what nnx.grad gives."""
    found = dict(nnx.to_flat_state(grads))
    return {name: np.array(found[path_of(layer, name)]) for name in ("gamma", "beta")}


def descend(model: Any, grads: Any, rate: Any, decay: Any) -> None:
    """One step of gradient descent with weight decay, on every nnx.Param."""
    rule = optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate))
    nnx.Optimizer(model, rule, wrt=nnx.Param).update(model, grads)


def tracers_left_by(call: Any) -> Any:
    """The tracers made in a call that something still refers to after it."""
    gc.freeze()  # what exists by now is not looked through
    try:
        call()
        gc.collect()
        return [held for held in gc.get_objects() if isinstance(held, jax.core.Tracer)]
    finally:
        gc.unfreeze()


def masked_call(layer: Any, x: Any, use_running_average: Any, mask: Any) -> Any:
    """One call, with a mask if there is one."""
    given = {} if mask is None else {MASK: mask}
    return layer(x, use_running_average=use_running_average, **given)


def spread(call: Any, x: Any, mask: Any, axis_name: Any, on_devices: Any) -> Any:
    """One call per shard of a batch, over a named axis of jax.vmap or of devices."""
    masked = None if mask is None else 0
    if not on_devices:
        return jax.vmap(call, in_axes=(0, masked), axis_name=axis_name)(x, mask)

    def on_one_device(x: Any, mask: Any) -> Any:
        results = call(x[0], None if mask is None else mask[0])
        return jax.tree.map(lambda leaf: leaf[None], results)

    here, everywhere = jax.P(axis_name), jax.P()
    mesh = jax.sharding.Mesh(jax.devices("cpu")[: len(x)], (axis_name,))
    specs = (here, everywhere if mask is None else here)
    mapped = jax.shard_map(on_one_device, mesh=mesh, in_specs=specs, out_specs=here, check_vma=False)
    return mapped(x, mask)


def results(
    layer: Any, x: Any, w: Any = None, mask: Any = None, axis_name: Any = None, devices: Any = False
) -> Any:
    """Of one compiled program: a training call, its gradients, and an evaluation call."""
    graphdef, state = nnx.split(layer)

    def program(state: Any, gamma: Any, beta: Any, x: Any, w: Any, mask: Any) -> Any:
        def called(gamma: Any, beta: Any, mode: Any, x: Any, mask: Any) -> Any:
            copied = nnx.merge(graphdef, jax.tree.map(lambda leaf: leaf, state))
            write(copied, {"gamma": gamma, "beta": beta})
            y = masked_call(copied, x, mode, mask)
            return y, {name: held(copied, name) for name in NAMES}

        def trained_on(gamma: Any, beta: Any, x: Any) -> Any:
            if axis_name is None:
                return called(gamma, beta, False, x, mask)
            return spread(partial(called, gamma, beta, False), x, mask, axis_name, devices)

        y, backward, after = jax.vjp(trained_on, gamma, beta, x, has_aux=True)
        pulled = backward(jnp.zeros_like(y) if w is None else jnp.asarray(w, y.dtype))
        if axis_name is not None:
            x, mask = x.reshape(-1, x.shape[-1]), None
        return y, after, pulled, called(gamma, beta, True, x, mask)[0]

    gamma, beta = held(layer, "gamma"), held(layer, "beta")
    y, after, pulled, evaluated = jax.jit(program)(state, gamma, beta, jnp.asarray(x), w, mask)
    copied = {name: np.array(array) for name, array in after.items()}
    return np.array(y), copied, named(pulled), np.array(evaluated)
