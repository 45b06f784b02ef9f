"""Where an equation of a jaxpr is from, in the files of an implementation."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import flax
import jax
from jax.extend import core

_LONGEST_TEXT = 200
_MOST_FRAMES = 8

Frame = tuple[CodeType, int]
"""A function, and the instruction in it."""

_SUITE = str(Path(__file__).parents[2])
_MARKING = __file__.replace("frames.py", "marks.py")
"""Where the suite marks what a layer reads and writes."""

_LIBRARIES = tuple(
    str(Path(each))
    for each in (
        Path(jax.__file__).parent,
        Path(flax.__file__).parent,
        sysconfig.get_paths()["stdlib"],
        sys.base_prefix + "/lib/python",
    )
)


def frames_of(eqn: core.JaxprEqn) -> tuple[Frame, ...]:
    """Return where an equation is from: the innermost frame of the implementation, and its callers.

    Empty if there is none, or only outside the call.
    """
    traced = eqn.source_info.traceback
    found: list[Frame] = []
    for code, instruction in [] if traced is None else zip(*traced.raw_frames(), strict=True):
        if code.co_filename.startswith(_SUITE) and code.co_filename != _MARKING:
            break
        if is_own(code.co_filename):
            found.append((code, instruction))
    return tuple(found[:_MOST_FRAMES])


def is_own(file: str) -> bool:
    """Return whether a file is of an implementation, neither of a library nor of the suite."""
    unknown = file.startswith("<") and file not in linecache.cache  # no cell of IPython
    return not (unknown or file.startswith((_SUITE, *_LIBRARIES)) or "-packages" in file)


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
