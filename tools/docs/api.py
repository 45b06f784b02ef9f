"""The page of the public API, from its signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import conformance

_HEAD = """# API

Generated from the docstrings of `conformance` by `python tools/docs/generate.py`; do not edit.

What is imported from `conformance` itself is public, typed (`py.typed`), and changes only as the
[changelog](../CHANGELOG.md) says. Everything else is not public. [Writing an
adapter](writing-an-adapter.md) and [pytest](pytest.md) show it in use.
"""

_ORDER = (  # then any others
    *("conformance_tests", "sequence_machine", "Implementation", "Layer", "Config"),
    *("Wider", "Options", "Precision", "Deviation", "AdapterError"),
    *("REQUIREMENTS", "Requirement", "Level", "Capability", "__version__"),
)

_WIDTH = 80

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$", re.MULTILINE)


def api_page() -> str:
    """Return the page: each public name with its signature, docstring and members."""
    names = sorted(conformance.__all__, key=lambda name: (_rank(name), name))
    return "\n".join([_HEAD, *(_entry(name, getattr(conformance, name)) for name in names)])


def _rank(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _entry(name: str, value: Any) -> str:
    if not callable(value):
        return f"## `{name}`\n\n{_CONSTANTS.get(name, repr(value))}\n"
    parts = [f"## `{name}`", ""]
    if isinstance(value, type) and issubclass(value, Enum):
        rows = [f"| `{each.name}` | {each.value} |" for each in value]
        methods = [_method(name, each) for each in _methods(value)]
        table = ["| name | meaning |", "|---|---|", *rows, ""]
        return "\n".join([*parts, _text(value), "", *table, *methods])
    if not isinstance(value, type) or is_dataclass(value):
        parts += [f"```python\n{_signature(name, value)}\n```\n"]
    parts += [_text(value), ""]
    if isinstance(value, type):
        parts += [_method(name, each) for each in _methods(value)]
    return "\n".join(parts)


_CONSTANTS = {
    "REQUIREMENTS": "A dictionary with every [requirement](requirements.md) by its id.",
    "__version__": "The version of the suite.",
}


def _methods(value: type) -> list[Any]:
    own = [each for name, each in vars(value).items() if not name.startswith("_")]
    if value.__name__ == "Layer":
        own.insert(0, vars(value)["__call__"])
    functions = [getattr(each, "__func__", each) for each in own]
    return [each for each in functions if inspect.isfunction(each)]


def _method(owner: str, function: Any) -> str:
    title = f"### `{owner}.{function.__name__}`"
    signature = _signature(function.__name__, function)
    return f"{title}\n\n```python\n{signature}\n```\n\n{_text(function)}\n"


def _signature(name: str, value: Any) -> str:
    parameters = list(inspect.signature(value).parameters.values())
    if is_dataclass(value):
        known = {each.name: each for each in fields(value)}
        parameters = [each for each in parameters if each.name in known]
    listed, starred = [], False
    for each in parameters:
        if each.name in {"self", "cls"}:
            continue
        if each.kind is each.KEYWORD_ONLY and not starred:
            starred = True
            listed.append("*")
        listed.append(_parameter(each))
    returned = inspect.signature(value).return_annotation
    end = ")" if isinstance(value, type) else f") -> {returned}"
    short = f"{name}({', '.join(listed)}{end}"
    lines = [f"{name}(", *(f"    {each}," for each in listed), end]
    return short if len(short) < _WIDTH else "\n".join(lines)


def _parameter(each: inspect.Parameter) -> str:
    default = each.default
    shown = "" if default is each.empty else f" = {_default(default)}"
    return f"{each.name}: {each.annotation}{shown}"


def _default(value: Any) -> str:
    text = repr(value)
    return "…" if text.startswith(("<", "Design(")) else text


def _text(value: Any) -> str:
    """Return a docstring as Markdown, with a list for each of its sections."""
    first, *rest = _SECTION.split(inspect.getdoc(value) or "")
    parts = [first.strip()]
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        items = re.split(r"\n(?=    \S)", body.strip("\n"))
        lines = [" ".join(item.split()) for item in items]
        if title in {"Args", "Attributes", "Raises"}:
            lines = [re.sub(r"^(\*{0,2}\w+): ", r"- `\1`: ", line) for line in lines]
        parts.append(f"**{title}**\n\n" + "\n".join(lines))
    return "\n\n".join(parts).replace("``", "`")
