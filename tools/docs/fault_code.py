"""The code of the faults, read from the files of the gallery: nothing is imported."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

FAULTY = Path(__file__).parents[2] / "impl" / "faulty"


class Code(NamedTuple):
    """The code of a fault.

    Attributes:
        text: The class or function, without its decorators.
        path: The file that has it.
    """

    text: str
    path: Path


@cache
def codes() -> dict[str, Code]:
    """Return the code of each fault, by its name."""
    found = {}
    for path in sorted(FAULTY.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
                code = Code("\n".join(lines), path)
                found |= dict.fromkeys(_names(node), code)
    return found


def _names(node: ast.ClassDef | ast.FunctionDef) -> list[str]:
    """Return the names under which it is recorded: the first arguments of its decorators."""
    return [
        call.args[0].value
        for call in node.decorator_list
        if isinstance(call, ast.Call) and call.args
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    ]
