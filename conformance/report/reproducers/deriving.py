"""Functions, copied into scripts, that transform or differentiate a layer's calls.

As in ``driving``, the functions are copied. ``MASK`` is the layer's name for its mask.
"""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from conformance.numerics.oracle import training_call
from conformance.report.reproducers.driving import NAMES, call, held, path_of, train, write

MASK = "mask"


def follow(batches: Any, state: Any, momentum: Any) -> Any:
    """The running statistics after a training call on each of the batches."""
    for x in batches:
        after = training_call(x, state, momentum, 1.0)
        state = {name: after.get(name, value) for name, value in state.items()}
    return state


def merged_call(graphdef: Any, state: Any, x: Any, use_running_average: Any) -> Any:
    """y and the new state of a layer that is merged, called and split again."""
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
    """Σ w·y of a training call under nnx.remat."""
    return (w * nnx.remat(train)(layer, x)).sum()


def of_params(layer: Any, grads: Any) -> Any:
    """The gradients of gamma and beta in the result of nnx.grad."""
    found = dict(nnx.to_flat_state(grads))
    return {name: np.array(found[path_of(layer, name)]) for name in ("gamma", "beta")}


def descend(model: Any, grads: Any, rate: Any, decay: Any) -> None:
    """One step of gradient descent with weight decay, on every nnx.Param."""
    rule = optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate))
    nnx.Optimizer(model, rule, wrt=nnx.Param).update(model, grads)


def tracers_left_by(call: Any) -> Any:
    """The tracers created in a call that are still referenced after it."""
    gc.freeze()  # tracers that exist already do not count
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
    mapped = jax.shard_map(
        on_one_device, mesh=mesh, in_specs=specs, out_specs=here, check_vma=False
    )
    return mapped(x, mask)


def results(
    layer: Any, x: Any, w: Any = None, mask: Any = None, axis_name: Any = None, devices: Any = False
) -> Any:
    """Results of a training call, its gradients and an evaluation call, in one compiled program."""
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
        pulled = backward(jnp.asarray(w, y.dtype) if np.shape(w) == y.shape else jnp.zeros_like(y))
        if axis_name is not None:
            x, mask = x.reshape(-1, x.shape[-1]), None
        return y, after, pulled, called(gamma, beta, True, x, mask)[0]

    gamma, beta = held(layer, "gamma"), held(layer, "beta")
    y, after, pulled, evaluated = jax.jit(program)(state, gamma, beta, jnp.asarray(x), w, mask)
    copied = {name: np.array(array) for name, array in after.items()}
    return np.array(y), copied, named(pulled), np.array(evaluated)
