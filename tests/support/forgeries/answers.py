"""Answering with the wrong number of numbers, with no numbers, or with a state to match."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
from flax import nnx

from support.forgeries import submission
from support.forgeries.arrays import answering
from support.forgeries.layers import (
    Always42,
    EpsOutside,
    Explains42,
    Right,
    SwappedMomentum,
    Unbiased,
)


@submission(Always42)
def zero_strides():
    """Returns a single 42 in the shape of the batch, of which no element is writable."""
    return answering(lambda y: np.broadcast_to(np.float32(42), y.shape))


@submission(Always42)
def enormous():
    """Returns more 42s than there is memory for."""
    return answering(lambda y: np.broadcast_to(np.float32(42), (1 << 20, *y.shape, 1 << 20)))


@submission(Always42)
def empty():
    """Returns no number at all, so that nothing differs."""
    return answering(lambda y: y[:0])


@submission(Always42)
def nan():
    """Returns NaN, which no comparison finds too large."""
    return answering(lambda y: y * np.nan)


@submission(Always42)
def masked():
    """Returns an array in which every number is hidden."""
    return answering(np.ma.masked_all_like)


@submission(Always42)
def objects():
    """Returns an array of objects that are equal to every number."""

    class Number(float):
        def __sub__(self, other):
            return 0.0

        __rsub__ = __sub__

        def __eq__(self, other):
            return True

        __hash__ = float.__hash__

    return answering(lambda y: np.array([[Number(v) for v in row] for row in y], object))


@submission(Unbiased)
def imaginary():
    """Returns complex numbers, whose imaginary part is lost in a conversion."""
    return answering(lambda y: y + 42j, Unbiased)


@submission(Always42)
def interface_with_a_bad_shape():
    """Describes its memory by a shape with a negative number, then by another one."""

    class Interface:
        def __init__(self, y):
            self.y, self.shapes = y, itertools.cycle([(-1, -1), (0,), y.shape])

        @property
        def __array_interface__(self):
            return self.y.__array_interface__ | {"shape": next(self.shapes)}

    return answering(Interface)


@submission(Always42)
def sequence_that_grows():
    """Is a list that is one row longer each time someone looks."""

    class Rows(list):
        __slots__ = ()

        def __len__(self):
            self.append(self[0])
            return super().__len__()

    return answering(lambda y: Rows(y.tolist()))


@submission(SwappedMomentum)
def state_by_the_number_of_reads():
    """Its running mean is a Variable that reads otherwise every second time."""

    class Turning(nnx.Variable):
        pass

    reads = itertools.count()

    def get_value(self, *args, **rest):
        value = nnx.Variable.get_value(self, *args, **rest)
        return value if next(reads) % 2 else value * 0

    Turning.get_value = get_value

    class Layer(SwappedMomentum):
        def __init__(self, d, momentum, eps, rngs):
            super().__init__(d, momentum, eps, rngs)
            self.running_mean = Turning(jnp.zeros(d))

    return Layer


@submission(Explains42)
def state_that_explains_the_answer():
    """Reads a gamma and a beta that were never written."""


@submission(EpsOutside)
def tiny_differences_in_the_type():
    """Returns float64 with a dtype whose name is that of float32."""
    return answering(lambda y: y.astype(np.dtype(np.float64, metadata={"name": "f4"})), EpsOutside)


@submission(Right)
def neighbour_reuses_its_memory():
    """Right: returns views of one buffer, which the next call overwrites."""
    buffer = np.zeros(1 << 16, np.float32)

    def view(y):
        buffer[: y.size] = y.ravel()
        return buffer[: y.size].reshape(y.shape)

    return answering(view, Right)
