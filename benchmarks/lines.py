"""How often the line of a known fault is shown, and whether it is a line of the fault.

    python benchmarks/lines.py design|held-out|all|correct [names …]
    python benchmarks/lines.py examples|examples-held-out

A fault belongs to the held-out quarter if the SHA-256 of its name is divisible by four: those
were not looked at while lines were developed. The line of a fault that overrides methods of a
correct class is right if it lies in a function of the fault's class or in a helper of its module,
and wrong if it lies elsewhere; a fault without such functions, or in the constructor alone, has
nothing to compare with ("shown"). Correct layers must get no line. Examples (``line_examples.py``,
``line_layers.py`` and ``line_backwards.py``) say which line is wrong; those whose SHA-256 has an
odd last byte are held out. All are diagnosed in this process, one after the other.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import line_backwards
import line_examples
import line_layers
from diagnosis import choose

from conformance.adapters.implementation import Implementation
from conformance.diagnosis.diagnosis import Investigation, investigate
from conformance.diagnosis.explanation import find_lines
from conformance.diagnosis.lines.line import Line
from conformance.engine.jax_runtime import remember_compilations
from conformance.properties.support.subject import Subject

_FAULTY = ".faulty."
PARTS = ("design", "held-out", "all", "correct", "examples", "examples-held-out")
FUNCTIONS = (*line_examples.FUNCTIONS, *line_layers.FUNCTIONS)
LAYERS = (*line_examples.LAYERS, *line_layers.LAYERS, *line_backwards.LAYERS)
EXAMPLES = {each.__name__: each for each in (*LAYERS, *FUNCTIONS)}


def own_lines(implementation: Implementation) -> set[tuple[Path, int]]:
    """Return the lines of the functions in which a fault differs from a correct class."""
    made = implementation.construction
    subject = made.module if made is not None else getattr(implementation.build, "__self__", None)
    if not isinstance(subject, type):
        return set()
    classes = [each for each in subject.__mro__ if _FAULTY in f"{each.__module__}."]
    members = [member for each in classes for member in vars(each).values()]
    modules = {inspect.getmodule(each) for each in classes}
    helpers = [f for m in modules if m for f in vars(m).values() if _is_from(f, m.__name__)]
    return {place for each in (*members, *helpers) for place in _lines_of(each)}


def _is_from(member: object, module: str) -> bool:
    return getattr(member, "__module__", "") == module


def _lines_of(member: object) -> Iterator[tuple[Path, int]]:
    function = inspect.unwrap(getattr(member, "__func__", member))
    if inspect.isfunction(function):
        source, first = inspect.getsourcelines(function)
        file = Path(function.__code__.co_filename).resolve()
        yield from ((file, first + at) for at in range(len(source)))


def _examples(*, apart: bool) -> dict[str, tuple[Implementation, Any]]:
    return {name: (_example(name), None) for name in EXAMPLES if in_other_half(name) == apart}


def in_other_half(name: str) -> bool:
    """Return whether something is held out: its SHA-256 has an odd last byte."""
    return hashlib.sha256(name.encode()).digest()[-1] % 2 == 1


def _example(name: str) -> Implementation:
    if EXAMPLES[name] in FUNCTIONS:
        return Implementation(name=name, forward=EXAMPLES[name])
    return Implementation.nnx(EXAMPLES[name], name=name)


def marked_lines(name: str) -> set[int]:
    """Return the lines that the source of an example calls wrong; none if it makes no mistake.

    A class is preceded by the backward pass that it uses.
    """
    example = EXAMPLES[name]
    module = inspect.getmodule(example)
    assert module is not None
    source = inspect.getsource(module).splitlines()
    lines, first = inspect.getsourcelines(example)
    if inspect.isclass(example):
        classes = [each for each in vars(module).values() if inspect.isclass(each)]
        own = [each for each in classes if each.__module__ == module.__name__]
        ends = [start + len(text) for text, start in map(inspect.getsourcelines, own)]
        first, last = max((end for end in ends if end <= first), default=1), first + len(lines)
    else:
        last = first + len(lines)
    return {at for at in range(first, last) if source[at - 1].endswith("# wrong")}


def grade(implementation: Implementation, found: Investigation, lines: list[Line | None]) -> str:
    """Return "right", "wrong", "shown", "none", or "undiagnosed" where nothing is wrong."""
    places = {(Path(line.file).resolve(), line.line) for line in lines if line is not None}
    if not places:
        return "none" if found.calls.deviant else "undiagnosed"
    if implementation.name in EXAMPLES:
        marked = marked_lines(implementation.name)
        return "right" if {at for _, at in places} <= marked else "wrong"
    own = own_lines(implementation)
    return "shown" if not own else "right" if places <= own else "wrong"


def main() -> None:
    """Measure one part of the gallery, or the correct variants."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    remember_compilations()
    part = "variants" if options.part == "correct" else options.part
    counts: Counter[str] = Counter()
    seconds = 0.0
    examples = part.startswith("examples")
    chosen = _examples(apart=part != "examples") if examples else choose(part, options.names)
    for name, (implementation, _) in chosen.items():
        subject = Subject(implementation)
        found = investigate(subject)
        started = time.perf_counter()
        lines = find_lines(subject, found)
        took = time.perf_counter() - started
        seconds += took
        graded = grade(implementation, found, lines)
        counts[graded] += 1
        counts[f"{graded}, {'named' if found.matches else 'not named'}"] += 1
        identity = found.diagnosis.id or found.diagnosis.kind
        print(f"{graded:11} {name:40} {took:4.1f} s  {identity}", flush=True)
        for line in lines:
            if line is not None:
                numbers = f"{line.got:.6g} where {line.expected:.6g} is expected"
                print(f"{'':12}{line.file}:{line.line}  {line.text[:50]}  {numbers}", flush=True)
    print(dict(counts), f"{seconds / max(sum(counts.values()) / 2, 1):.2f} s each")


if __name__ == "__main__":
    main()
