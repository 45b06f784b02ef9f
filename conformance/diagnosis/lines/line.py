"""An expression that computes a wrong value, as reports have it."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from conformance.diagnosis.lines.expressions import Place
from conformance.diagnosis.lines.steps import Wrong, state_of
from conformance.diagnosis.observe import Observation
from conformance.engine.environments import split_place

_GIVEN = {
    "running mean": ("running_mean", "momentum"),
    "running variance": ("running_var", "momentum"),
    "v + ε": ("eps",),
    "√(v+ε)": ("eps",),
    "1/√(v+ε)": ("eps",),
    "z": ("eps",),
    "γ/√(v+ε)": ("gamma", "eps"),
    "dx": ("gamma", "eps"),
    "γ·z + β": ("gamma", "beta", "eps"),
    "y": ("gamma", "beta", "eps"),
}
"""What a quantity depends on in training, besides x."""

_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An expression that computes a wrong value; lines and columns count from 1.

    Attributes:
        file: The file, as a user would write it.
        line: The line.
        column: The column.
        end_line: The line of the end.
        end_column: The column after the end.
        text: The source of the expression.
        quantity: The quantity that is wrong.
        got: The first wrong number of its value.
        expected: The number in its place without the mistake.
        training: Whether it is a training call.
        given: The batch x, (N, D), and the other numbers that matter, by name.
        uses: What it uses that is right for something else, if it does.
        how: How an edit changes the place to make all calls right, if that shows it: by what is
            there ``instead``, or ``also``, a condition ``in training``, or ``without`` it.
        new: What is there after the edit.
        shown: Whether its numbers are those of the place, and not of a result.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    quantity: str
    got: float
    expected: float
    training: bool
    given: dict[str, Any]
    uses: str = ""
    how: str = ""
    new: str = ""
    shown: bool = True

    @property
    def place(self) -> tuple[str, int, int, int, int]:
        """Where the expression is."""
        return self.file, self.line, self.column, self.end_line, self.end_column

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; empty ones are left out."""
        found = {name: value for name, value in asdict(self).items() if value != ""}
        return {name: value for name, value in found.items() if name != "shown" or not value}


def make_line(
    place: Place, name: str, call: Observation, wrong: Wrong, got: float, uses: str = ""
) -> Line:
    """Return the line of an expression.

    Args:
        place: Where the expression is.
        name: The name of the implementation.
        call: The call in which it computes a wrong value.
        wrong: That value.
        got: Its first wrong number.
        uses: What it uses that is right for something else.
    """
    assert call.call is not None, "a call is traced"  # noqa: S101
    training, pulled = call.call.training, call.call.cotangent
    w = {} if pulled is None else {"w": pulled.tolist()}
    return Line(
        **_fields(place, name, wrong, got),
        uses=uses,
        training=training,
        given={"x": call.call.x.tolist(), **w, **_given(call, wrong.name, training=training)},
    )


def make_initial_line(place: Place, name: str, made: Observation, wrong: Wrong, got: float) -> Line:
    """Return the line of what gives an array a wrong initial value; see ``make_line``."""
    fields = _fields(place, name, wrong, got)
    return Line(**fields, training=True, given={"D": made.config.features})


def _fields(place: Place, name: str, wrong: Wrong, got: float) -> dict[str, Any]:
    found = {**asdict(place), "file": shorten(place.file, name)}
    return {**found, "quantity": wrong.name, "got": got, "expected": wrong.expected}


def _given(call: Observation, quantity: str, *, training: bool) -> dict[str, Any]:
    names = (*(() if training else _STATISTICS), *_GIVEN.get(quantity, ()))
    config = {"momentum": call.config.momentum, "eps": call.config.eps}
    arrays = state_of(call).arrays()
    return {
        name: config[name] if name in config else [float(each) for each in arrays[name]]
        for name in names
    }


def shorten(file: str, name: str) -> str:
    """Return the path of a file as a user would write it.

    Args:
        file: The path.
        name: What is judged, which may be a file and an attribute in it.
    """
    if cell := _cell_of(file):
        return cell
    typed, path = Path(split_place(name).implementation.rpartition(":")[0]), Path(file)
    with suppress(OSError):
        if typed.suffix and typed.resolve() == path.resolve():
            return str(typed)
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return file


def _cell_of(file: str) -> str:
    """Return the cell of a notebook, such as ``In[3]``, whose code has this file name."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return "" if not shell else (shell.compile.format_code_name(file) or ("", ""))[1]
