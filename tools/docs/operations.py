"""The page of operations: what can be done to an implementation, and how it travels."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import ModuleType

from conformance.adapters.operations import catalogue, values, wire
from conformance.engine.sandbox import messages

_HEAD = """# Operations

Generated from `conformance/adapters/operations` by `python tools/docs/generate.py`; do not edit.

Everything that the suite does to an implementation is one of these operations. They are executed
where the implementation is imported: by `conformance run` in a worker process, by
`conformance_tests` and debuggers in the same process. They return arrays, facts, or references to
objects that stay there. Cases, expected values, bounds, checks and verdicts are elsewhere, in a
process that imports neither the implementation nor a framework
([isolation](how-it-works.md#isolation)).

An adapter implements them by the methods of `conformance.Layer`, `Differentiable` and
`Transformable` (`adapters/protocols.py`); what these do not offer is unsupported by name of the
capability. An argument `layer` is a reference to an object that an operation returned before.
The facts of operations marked * rest on the word of the process that executes them: no array
that it returns could show that they are wrong.
"""

_TRAVEL = """## Between processes

The supervisor writes messages to the standard input of the worker and reads its answers from
standard output. So an implementation in another environment or language can be driven by a program
that reads and writes these messages. There is a smaller [protocol](other-environments.md) for
programs that offer a layer without JAX.
"""


_TITLES = {
    "layer_calls": "Calls",
    "transformed_calls": "Transforms",
    "pullbacks": "Gradients",
    "nnx_facts": "Facts of modules",
    "nnx_copies": "Copies of modules",
    "nnx_steps": "Training steps of modules",
    "domain_calls": "Extended domain",
    "adapter_facts": "Facts of adapters",
    "characterizing_calls": "MAY rows",
    "equations": "Lines of mistakes",
    "growth": "Sizes of programs",
}
"""Headings by the module of the operations."""


def operations_page() -> str:
    """Return the list of operations and the format of messages as Markdown."""
    parts = [_HEAD]
    for name, title in _TITLES.items():
        module = import_module(f"{catalogue.__package__}.{name}")
        parts += [f"## {title}", "", f"{_first_line(module)}", ""]
        parts += [_entry(module, each) for each, of in catalogue.OPERATIONS.items() if of == name]
        parts.append("")
    parts += [_TRAVEL, inspect.cleandoc(wire.__doc__ or "").partition("\n\n")[2], ""]
    parts += [inspect.cleandoc(messages.__doc__ or "").partition("\n\n")[2], ""]
    parts += [f"- `{each.__name__}`: {_first_line(each)}" for each in _CLASSES]
    return "\n".join(parts) + "\n"


_CLASSES = (messages.Init, messages.Request, messages.Reply, values.Operation, values.Failed)


def _entry(module: ModuleType, name: str) -> str:
    function = getattr(module, name)
    arguments = [each for each in inspect.signature(function).parameters if each != _IMPLICIT]
    mark = "\\*" if name in catalogue.ON_TRUST else ""
    return f"- `{name}({', '.join(arguments)})`{mark}: {_first_line(function)}"


_IMPLICIT = "implementation"
"""The executor adds this argument."""


def _first_line(described: object) -> str:
    return (inspect.getdoc(described) or "").partition("\n\n")[0].replace("\n", " ")
