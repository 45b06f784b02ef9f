"""Writes the steps of a recording, and what they use, as source text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np

from conformance.adapters.calling import Calling
from conformance.adapters.operations.catalogue import OPERATIONS
from conformance.adapters.protocols import ARRAYS
from conformance.numerics.sources import Source, Subscript
from conformance.report.reproducers.bundle import Bundle, takes_implementation
from conformance.report.reproducers.construction_spec import Blueprint
from conformance.report.reproducers.driving import NAME, call_source
from conformance.report.reproducers.literals import written
from conformance.report.reproducers.recorder import Form, Recording

_OPERATIONS = "conformance.adapters.operations"

PLAIN = frozenset({"build", "write", "read", "put", "call", "call_live", "forward", "reread"})
"""Operations that a script for an ``nnx.Module`` writes as a user would."""


class Writer:
    """Source text for sources, and the definitions that it needs.

    Args:
        blueprint: How the implementation is constructed.
        recording: What happened.
        plain: Whether layers are the modules themselves, without an adapter.
        taken: Names that variables cannot have.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        recording: Recording,
        *,
        plain: bool,
        taken: frozenset[str] = frozenset(),
    ) -> None:
        self.blueprint, self.recording, self.plain = blueprint, recording, plain
        self.bundle = Bundle()
        self.bundle.add_import("import numpy as np", "np")
        self._steps = {id(step.source): step for step in recording.steps}
        self._variables: dict[int, str] = {}
        self._taken = set(taken)
        self._references: Counter[int] = Counter()
        self.given: list[str] = []
        self.last = 0

    def write(self, roots: Iterable[Any]) -> tuple[list[tuple[int, str]], list[str]]:
        """Return the steps in order, with their place in the log, and the texts of the roots.

        Args:
            roots: Operands that are needed.
        """
        roots = list(roots)
        needed = self._collect(self._acting(roots), roots)
        self.last = max((s.order for s in needed if id(s) in self._steps), default=0)
        lines: list[tuple[int, str]] = []
        for source in needed:
            step = self._steps.get(id(source))
            if step is None and not source.name and self._references[id(source)] < _OFTEN:
                continue
            for line in self._statements(source):
                lines.append((source.order, line))
        return lines, [self.value(root) for root in roots]

    def _acting(self, roots: list[Any]) -> list[Source]:
        """Return the operations with effects, up to the last on which a root depends."""
        seen, waiting, last = set[int](), list(_sources_in(roots)), 0
        while waiting:
            source = waiting.pop()
            if id(source) not in seen:
                seen.add(id(source))
                waiting += _sources_in(source.operands)
                last = max(last, source.order if id(source) in self._steps else 0)
        sources = (step.source for step in self.recording.steps)
        return [source for source in sources if source.effect and source.order <= last]

    def _collect(self, acting: list[Source], roots: list[Any]) -> list[Source]:
        """Return all sources that are needed, in order; count what refers to each."""
        seen: dict[int, Source] = {}
        waiting = [*acting, *_sources_in(roots)]
        for source in acting:
            self._references[id(source)] -= 1  # it is there for its effect
        while waiting:
            source = waiting.pop()
            self._references[id(source)] += 1
            if id(source) not in seen:
                seen[id(source)] = source
                waiting += _sources_in(source.operands)
        return sorted(seen.values(), key=lambda source: source.order)

    def _statements(self, source: Source) -> list[str]:
        """Return the statements that compute a source and keep the result."""
        step = self._steps.get(id(source))
        if step is None and source.template == "{}" and not source.functions:
            text = written(source.operands[0])
            if self._references[id(source)] == 1 and len(text) <= _SHORT:
                self._variables[id(source)] = text
            else:
                self.given.append(f"{self._variable(source, source.name)} = {text}")
            return []
        if step is not None and self.plain and source.template == "write":
            return list(self._plain_write(source))
        text = self._expression(source)
        if self._references[id(source)] <= 0:
            return [text]
        return [f"{self._variable(source, _name_for(source))} = {text}"]

    def _variable(self, source: Source, name: str) -> str:
        chosen = self._reused(source, name)
        number = 1
        while not chosen:
            number += 1
            candidate = name if number == 2 else f"{name}_{number - 1}"
            chosen = candidate if candidate not in self._taken else ""
        self._taken.add(chosen)
        self._variables[id(source)] = chosen
        return chosen

    def _reused(self, source: Source, name: str) -> str:
        """Return the variable of an operand that is not needed any more, so that loops show."""
        for each in source.operands if source.functions else ():
            same = isinstance(each, Source) and each.functions and _name_for(each) == name
            if same and self._references[id(each)] == 1:
                return self._variables[id(each)]
        return ""

    def value(self, operand: Any) -> str:
        """Return source text for an operand."""
        if isinstance(operand, Source):
            return self._variables.get(id(operand)) or self._expression(operand)
        if isinstance(operand, Form):
            return self._form(operand)
        if isinstance(operand, Subscript):
            return self._subscript(operand.index)
        if isinstance(operand, dict):
            return self._mapping(operand)
        if isinstance(operand, list | tuple):
            inside = ", ".join(map(self.value, operand))
            one = "," if isinstance(operand, tuple) and len(operand) == 1 else ""
            return f"[{inside}]" if isinstance(operand, list) else f"({inside}{one})"
        if isinstance(operand, np.ndarray) and operand.dtype == object:
            decimals = self.bundle.add("conformance.numerics.decimal_oracle", "decimals")
            return f"{decimals}({written(operand.astype(np.float64))})"
        if callable(operand) and hasattr(operand, "__qualname__"):
            return self.bundle.add(operand.__module__, operand.__name__)
        if isinstance(operand, slice):
            return repr(operand)
        return written(operand)

    def _mapping(self, operand: dict[Any, Any]) -> str:
        """Return source text for a dictionary, or for the state whose arrays it has."""
        first = next(iter(operand.values()), None)
        owner = first.operands[0] if isinstance(first, Source) and first.operands else None
        whole = tuple(operand) == ARRAYS and not self.recording.counted
        if whole and all(
            isinstance(v, Source)
            and v.template == "{}[{}]"
            and v.operands[0] is owner
            and v.operands[1] == k
            for k, v in operand.items()
        ):
            return self.value(owner)
        return "{" + ", ".join(f"{k!r}: {self.value(v)}" for k, v in operand.items()) + "}"

    def _subscript(self, index: Any) -> str:
        if isinstance(index, tuple):
            return ", ".join(map(self._subscript, index)) or "()"
        if isinstance(index, slice):
            start, stop = ("" if x is None else str(x) for x in (index.start, index.stop))
            return f"{start}:{stop}" + ("" if index.step is None else f":{index.step}")
        return "..." if index is ... else self.value(index)

    def _form(self, given: Form) -> str:
        before, _, after = given.form.partition("{}")
        if "jnp" in given.form:
            self.bundle.add_import("import jax.numpy as jnp", "jnp")
        if before.isidentifier() and before not in {"float", "bool", "int"}:
            before = self.bundle.add(f"{_OPERATIONS}.forms", before)
        return f"{before}({self.value(given.value)}{after})"

    def _expression(self, source: Source) -> str:
        """Return the text that computes a source."""
        step = self._steps.get(id(source))
        if step is not None:
            return self._operation(source)
        template = source.template
        for function in source.functions:
            name = self.bundle.add(function.__module__, function.__name__)
            template = template.replace(function.__name__, name, 1)
        pieces = template.split("{}")
        texts = [*map(self.value, source.operands), ""]
        return "".join(part for pair in zip(pieces, texts, strict=True) for part in pair)

    def _operation(self, source: Source) -> str:
        name, operands = source.template, source.operands
        if self.plain:
            return self._plain_operation(name, operands)
        module = f"{_OPERATIONS}.{OPERATIONS[name]}"
        copied = self.bundle.add(module, name)
        arguments = ["implementation"] if takes_implementation(module, name) else []
        arguments += map(self.value, operands)
        return f"{copied}({', '.join(arguments)})"

    def _plain_operation(self, name: str, operands: tuple[Any, ...]) -> str:
        own = self.blueprint
        if name == "build":
            features, momentum, eps, seed = map(written, operands)
            values = {"features": features, "momentum": momentum, "eps": eps}
            given = [f"{own.keywords[n]}={v}" for n, v in values.items() if n in own.keywords]
            given += [f"{name}={text}" for name, text in own.arguments.items()]
            if streams := own.keywords.get("rngs"):
                given += [f"{streams}=nnx.Rngs({seed})"]
            return f"Layer({', '.join(given)})"
        if name == "read":
            layer = self.value(operands[0])
            flat = {n: ".reshape(-1)" * (n in own.unusual) for n in ARRAYS}
            arrays = (f'"{n}": np.array({layer}.{own.attributes[n]}[...]){flat[n]}' for n in ARRAYS)
            return "{" + ", ".join(arrays) + "}"
        if name == "forward":
            return f"np.array(forward({', '.join(map(self.value, operands))}))"
        if name == "reread":
            return f"[np.array(kept) for kept in {self.value(operands[0])}]"
        if name == "put":
            return self.value(operands[0])
        layer, x, flag = map(self.value, operands)
        text = f"{layer}({x}, use_running_average={flag})"
        if own.calling:
            text = f"{self._helper()}({layer}, {x}, {flag})"
        return text if name == "call_live" else f"np.array({text})"

    def _helper(self) -> str:
        """Return the name of the function that calls a layer; add it if it is not there."""
        calling = Calling.from_json(self.blueprint.calling)
        text = call_source(calling, self.bundle)
        if text not in self.bundle.pieces:
            self.bundle.pieces.append(text)
        return NAME

    def _plain_write(self, source: Source) -> Iterator[str]:
        layer, values = source.operands
        for name, value in values.items():
            place = f"{self.value(layer)}.{self.blueprint.attributes[name]}"
            text = self.value(value)
            if name in self.blueprint.unusual:
                text = f"np.reshape({text}, {place}.shape)"
            yield f"{place}[...] = {text}"


_VARIABLES = {
    "moments": "moments_of_x",
    "normalize": "z",
    "ema": "average",
}
"""The variable for the result of a formula; of others, ``value``."""


def _name_for(source: Source) -> str:
    if source.functions:
        return _VARIABLES.get(source.functions[0].__name__, "value")
    return source.name or "value"


_SHORT = 60
"""The length up to which a literal that is used once has no name."""

_OFTEN = 3
"""References from which a value without a name has one."""


def _sources_in(operand: Any) -> Iterator[Source]:
    """Yield the sources in an operand, but not in those."""
    if isinstance(operand, Source):
        yield operand
    elif isinstance(operand, Form):
        yield from _sources_in(operand.value)
    elif isinstance(operand, Subscript):
        yield from _sources_in(operand.index)
    elif isinstance(operand, dict):
        yield from _sources_in(list(operand.values()))
    elif isinstance(operand, list | tuple):
        for each in operand:
            yield from _sources_in(each)


def as_loops(lines: Iterable[str]) -> list[str]:
    """Return lines in which repeated ones are a loop."""
    found: list[str] = []
    for line, group in groupby(lines):
        times = len(list(group))
        found += [line] if times == 1 else [f"for _ in range({times}):", f"    {line}"]
    return found
