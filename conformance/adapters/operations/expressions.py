"""What the equations of a jaxpr compute, by the expressions of the source that they are from."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from types import CodeType
from typing import Any, cast

import flax
import jax
import numpy as np
from flax import nnx
from jax.extend import core

from conformance.adapters.nnx import NnxLayer
from conformance.adapters.protocols import Layer
from conformance.adapters.pure import PureLayer

_MOST_EQUATIONS = 400
_MOST_NUMBERS = 64
_LONGEST_TEXT = 200

CALLS = frozenset(
    {"checkpoint", "closed_call", "custom_jvp_call", "custom_vjp_call", "jit", "pjit", "remat"}
)
"""Primitives that apply one function to their operands."""

_MOVES = frozenset(
    {"broadcast_in_dim", "copy", "copy_p", "reshape", "squeeze", "stop_gradient", "transpose"}
)
"""Primitives that compute no number."""

Frame = tuple[CodeType, int]
"""A function, and the instruction in it."""

_SUITE = str(Path(__file__).parents[2])

_LIBRARIES = tuple(
    str(Path(each))
    for each in (
        Path(jax.__file__).parent,
        Path(flax.__file__).parent,
        sysconfig.get_paths()["stdlib"],
        sys.base_prefix + "/lib/python",
    )
)


def function_of(layer: Layer, flag: bool) -> tuple[Callable[[Any, Any], Any], Any] | None:
    """Return a layer as a function of its state and x, and the state."""
    if isinstance(layer, PureLayer):
        return lambda arrays, x: layer.pure(arrays, x, flag), layer.arrays
    if not hasattr(layer, "around"):
        return None
    driven = cast("NnxLayer", layer)
    graphdef, leaves = nnx.split(driven.module)

    def call(leaves: Any, x: Any) -> Any:
        copied = jax.tree.map(lambda leaf: leaf, leaves)  # Variables of this trace
        inner = driven.around(nnx.merge(graphdef, copied))
        return inner(x, flag), inner.read()

    return call, leaves


def describe(
    jaxpr: core.Jaxpr,
    consts: Sequence[Any],
    given: Sequence[Any],
    without: Collection[Frame] = (),
) -> Iterator[dict[str, Any]]:
    """Yield the values of each expression, those in called functions before their results.

    Args:
        jaxpr: The function.
        consts: What it closes over.
        given: Its arguments.
        without: Where expressions are that do not count.
    """
    eqns = jaxpr.eqns[:_MOST_EQUATIONS]
    outputs = [var for eqn in eqns for var in eqn.outvars]
    about = jaxpr.debug_info._replace(result_paths=None)
    kept = jaxpr.replace(eqns=eqns, outvars=outputs, debug_info=about)
    results = core.jaxpr_as_fun(core.ClosedJaxpr(kept, consts))(*given)
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *given), strict=True))
    known |= dict(zip(outputs, results, strict=True))
    uses = Counter(id(var) for eqn in eqns for var in eqn.invars)
    uses.update(map(id, jaxpr.outvars))
    made: set[core.Var] = set()
    for frames, group in groupby(eqns, frames_of):
        together = list(group)
        for eqn in together:
            for inner, inner_consts in _called(eqn):
                operands = [v.val if isinstance(v, core.Literal) else known[v] for v in eqn.invars]
                yield from describe(inner, inner_consts, operands, without)
        inside = Counter(id(var) for eqn in together for var in eqn.invars)
        computed = [
            _plain(known[var])
            for eqn in together
            for var in eqn.outvars
            if uses[id(var)] > inside[id(var)] and eqn.primitive.name not in _MOVES
        ]
        values = [value for value in computed if value.size <= _MOST_NUMBERS]
        used = [v for v in _used(together) if v in made and v.aval.size <= _MOST_NUMBERS]
        if values and frames and frames[0] not in without and (place := place_of(*frames[0])):
            yield {
                **place,
                "values": values,
                "operands": [_plain(known[var]) for var in used],
                "constants": _constants(together),
            }
        made |= {var for eqn in together for var in eqn.outvars}


def _used(together: Sequence[core.JaxprEqn]) -> set[core.Var]:
    """Return the arrays that equations use and do not compute."""
    own = {var for eqn in together for var in eqn.outvars}
    return {v for eqn in together for v in eqn.invars if not isinstance(v, core.Literal)} - own


def _constants(together: Sequence[core.JaxprEqn]) -> list[Any]:
    """Return the numbers in equations that JAX does not compute."""
    operands = (operand for eqn in together for operand in eqn.invars)
    return [np.asarray(each.val) for each in operands if isinstance(each, core.Literal)]


def _plain(value: Any) -> np.ndarray[Any, Any]:
    """Return an array in a dtype of NumPy: those of bfloat16 become float32."""
    array = np.asarray(value)
    return array if array.dtype.kind in "biuf" else array.astype(np.float32)


def _called(eqn: core.JaxprEqn) -> Iterator[tuple[core.Jaxpr, Sequence[Any]]]:
    """Yield the function that an equation applies to its operands, if it does."""
    if eqn.primitive.name not in CALLS:
        return
    for value in eqn.params.values():
        closed = isinstance(value, core.ClosedJaxpr)
        jaxpr = value.jaxpr if closed else value
        if isinstance(jaxpr, core.Jaxpr) and len(jaxpr.invars) == len(eqn.invars):
            yield jaxpr, value.consts if closed else ()
            return


def frames_of(eqn: core.JaxprEqn) -> tuple[Frame, ...]:
    """Return where an equation is from: the innermost frame of the implementation, and its callers.

    Empty if there is none, or only outside the call.
    """
    traced = eqn.source_info.traceback
    if traced is None:
        return ()
    frames: list[Frame] = [*zip(*traced.raw_frames(), strict=True)]
    for at, (code, _) in enumerate(frames):
        if code.co_filename.startswith(_SUITE):
            return ()
        if _is_own(code.co_filename):
            return tuple(frames[at:])
    return ()


def _is_own(file: str) -> bool:
    """Return whether a file is not of a library."""
    unknown = file.startswith("<") and file not in linecache.cache  # no cell of IPython
    return not (unknown or file.startswith(_LIBRARIES) or "-packages" in file)


def place_of(code: CodeType, instruction: int) -> dict[str, Any]:
    """Return where an instruction is in its source, and the source; nothing if that is unknown."""
    line, end_line, column, end_column = [*code.co_positions()][instruction // 2]
    if line is None or end_line is None or column is None or end_column is None:
        return {}
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(line, end_line + 1)]
    lines[-1] = lines[-1][:end_column]
    text = b"".join((lines[0][column:], *lines[1:])).decode(errors="replace")
    return {
        "file": code.co_filename,
        "line": line,
        "column": column + 1,
        "end_line": end_line,
        "end_column": end_column + 1,
        "text": " ".join(text.split())[:_LONGEST_TEXT],
    }


def innermost_frames(jaxpr: core.Jaxpr) -> Iterator[Frame]:
    """Yield where the equations of a function, and of those that it calls, are from."""
    for eqn in jaxpr.eqns:
        yield from frames_of(eqn)[:1]
        for value in eqn.params.values():
            inner = value.jaxpr if isinstance(value, core.ClosedJaxpr) else value
            if isinstance(inner, core.Jaxpr):
                yield from innermost_frames(inner)
