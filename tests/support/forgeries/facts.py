"""Layers whose numbers are right and whose facts are not, and who say otherwise.

Which Variables a layer has, how often it is traced and what it leaks is seen in its own process
alone. A judge elsewhere has that process's word for it, which the layer can change.
"""

from __future__ import annotations

import gc
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from conformance.adapters.nnx import NnxLayer
from conformance.adapters.nnx_transforms import NnxTransforms
from conformance.adapters.operations import nnx_facts
from support.forgeries import submission
from support.forgeries.layers import Right

_ON_WORD = {"on_word": True}


class NeedsValues(Right):
    """Looks at the values of its input, so that it cannot be compiled."""

    def __call__(self, x, use_running_average):
        np.asarray(x)
        return super().__call__(x, use_running_average)


class NoParams(Right):
    """Keeps gamma where no optimiser would look for it."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.gamma = nnx.Variable(jnp.ones(d))


class FiveLeaves(Right):
    """Has a leaf that is none of the four."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.another = nnx.Variable(jnp.zeros(d))


class TracedAgain(Right):
    """Is another static value after each call, so that each call is traced."""

    numbers = itertools.count()

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.number = 0

    def __call__(self, x, use_running_average):
        self.number = next(TracedAgain.numbers)
        return super().__call__(x, use_running_average)


class Leaking(Right):
    """Keeps what it was traced with."""

    kept = ()

    def __call__(self, x, use_running_average):
        Leaking.kept = (*Leaking.kept, x)[-9:]
        return super().__call__(x, use_running_average)


@submission(NeedsValues, judged=("BN-JIT-1",))
def it_needs_values():
    """Does not say otherwise."""


@submission(NeedsValues, judged=("BN-JIT-1",), **_ON_WORD)
def jit_is_the_identity():
    """Replaces the transform by one that compiles nothing."""
    nnx.jit = lambda function, **rest: function


@submission(NoParams, judged=("BN-STATE-1",))
def it_has_no_params():
    """Does not say otherwise."""


@submission(NoParams, judged=("BN-STATE-1",), **_ON_WORD)
def holders_are_params():
    """Shows Params to whoever asks for what holds an array."""
    right = NnxLayer.holder
    NnxLayer.holder = lambda self, array: (
        nnx.Param(right(self, array).get_value())
        if array in {"gamma", "beta"}
        else right(self, array)
    )


@submission(FiveLeaves, judged=("BN-STATE-3",))
def it_has_five_leaves():
    """Does not say otherwise."""


@submission(FiveLeaves, judged=("BN-STATE-3",), **_ON_WORD)
def a_leaf_is_hidden():
    """Leaves the fifth leaf out wherever leaves are listed."""
    right = nnx_facts._leaves
    nnx_facts._leaves = lambda layer, selected: {
        path: leaf for path, leaf in right(layer, selected).items() if "another" not in path
    }


@submission(TracedAgain, judged=("BN-JIT-3",))
def it_is_traced_again():
    """Does not say otherwise."""


@submission(TracedAgain, judged=("BN-JIT-3",), **_ON_WORD)
def traces_are_not_counted():
    """Counts on another list than the one that is looked at."""
    right = NnxTransforms.compile_anew
    NnxTransforms.compile_anew = lambda self, traced: right(self, [])


@submission(Leaking, judged=("BN-JIT-5",))
def it_leaks():
    """Does not say otherwise."""


@submission(Leaking, judged=("BN-JIT-5",), **_ON_WORD)
def nothing_is_found():
    """Lets nobody find a tracer among the objects of the process."""
    right = gc.get_objects
    gc.get_objects = lambda *args, **rest: [
        found for found in right(*args, **rest) if not isinstance(found, jax.core.Tracer)
    ]


@submission(Right, judged=("BN-JIT-1", "BN-JIT-3", "BN-STATE-1", "BN-STATE-3"))
def neighbour_has_no_secrets():
    """Right: its facts are what it says."""
