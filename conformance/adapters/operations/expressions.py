"""What a call computes, by the expressions of the source that its equations are from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, cast

import jax
import numpy as np
from flax import nnx
from jax.extend import core

from conformance.adapters.nnx import NnxLayer
from conformance.adapters.operations.evaluation import Evaluation, Step
from conformance.adapters.operations.frames import Frame, place_of
from conformance.adapters.operations.marks import mark
from conformance.adapters.operations.name_flow import uses_of
from conformance.adapters.protocols import Layer
from conformance.adapters.pure import PureLayer

_MOST_NUMBERS = 4096


class Traceable(NamedTuple):
    """A layer as a function.

    Attributes:
        call: Takes the state and x; returns y and the arrays afterwards, by name.
        state: The state.
        read: Returns the arrays of a state, by name.
    """

    call: Callable[[Any, Any], Any]
    state: Any
    read: Callable[[Any], Mapping[str, Any]]


def function_of(layer: Layer, flag: bool, *, marked: bool = False) -> Traceable | None:
    """Return a layer as a function of its state and x; None if it is none of JAX.

    Args:
        layer: The layer.
        flag: The value of ``use_running_average``.
        marked: Whether what it reads and writes are equations, too.
    """
    if isinstance(layer, PureLayer):
        return Traceable(lambda arrays, x: layer.pure(arrays, x, flag), layer.arrays, dict)
    if not hasattr(layer, "around"):
        return None
    driven = cast("NnxLayer", layer)
    graphdef, leaves = nnx.split(driven.module)

    def call(leaves: Any, x: Any) -> Any:
        copied = jax.tree.map(lambda leaf: leaf, leaves)  # Variables of this trace
        module = nnx.merge(graphdef, copied)
        inner = driven.around(mark(module) if marked else module)
        return inner(x, flag), inner.read()

    return Traceable(call, leaves, lambda leaves: driven.around(nnx.merge(graphdef, leaves)).read())


def describe(done: Evaluation, without: Collection[Frame] = ()) -> Iterator[dict[str, Any]]:
    """Yield the values of each expression, those in called functions before their results.

    Args:
        done: What was evaluated.
        without: Where expressions are that do not count.
    """
    uses = Counter(each for step in done.steps for each in step.operands)
    uses.update([*done.outputs.values(), *done.handed])
    reached = done.reached()
    expression_of: dict[int, int] = {}
    position = 0
    for frames, group in groupby(done.steps, lambda step: step.frames):
        together = list(group)
        inside = Counter(each for step in together for each in step.operands)
        computed = {
            each
            for step in together
            for each in step.results
            if not step.moves or done.root(each) == each  # a constant
        }
        handed = [
            each
            for step in together
            for each in step.results
            if uses[each] > inside[each] and done.root(each) in computed and _is_small(done, each)
        ]
        place = place_of(*frames[0]) if frames and frames[0] not in without else {}
        if not handed or not place:
            continue
        used = [each for each in _used(together) if _matters(done, each)]
        yield {
            **place,
            "values": [_plain(done.values[each]) for each in handed],
            "numbers": handed,
            "operands": [_plain(done.values[each]) for each in used],
            "sources": [expression_of.get(done.root(each), -1) for each in used],
            "constants": _constants(together),
            "callers": [each for frame in frames[1:] if (each := place_of(*frame))],
            "uses": uses_of(place),
            "reaches": sorted(frozenset[str]().union(*(reached[each] for each in handed))),
        }
        expression_of |= dict.fromkeys(computed, position)
        position += 1


def _matters(done: Evaluation, number: int) -> bool:
    """Return whether an operand may be wrong: computed ones, and arrays that are given."""
    value = done.values[number]
    given = number in done.given
    numeric = jax.numpy.issubdtype(jax.numpy.asarray(value).dtype, jax.numpy.floating)
    return _is_small(done, number) and (not given or (np.ndim(value) > 0 and numeric))


def _is_small(done: Evaluation, number: int) -> bool:
    return int(np.size(done.values[number])) <= _MOST_NUMBERS


def _used(together: Sequence[Step]) -> list[int]:
    """Return the arrays that steps use and do not compute."""
    own = {each for step in together for each in step.results}
    used = dict.fromkeys(each for step in together for each in step.operands)
    return [each for each in used if each not in own]


def _constants(together: Sequence[Step]) -> list[Any]:
    """Return the numbers in equations that JAX does not compute."""
    operands = (operand for step in together for operand in step.eqn.invars)
    return [np.asarray(each.val) for each in operands if isinstance(each, core.Literal)]


def _plain(value: Any) -> np.ndarray[Any, Any]:
    """Return an array in a dtype of NumPy: those of bfloat16 become float32."""
    array = np.asarray(value)
    return array if array.dtype.kind in "biuf" else array.astype(np.float32)
