"""How often the line of an edit is found that makes a correct layer of somebody else wrong.

    python benchmarks/line_mutants.py design|held-out [--each 4] [--seed 0] [--show]

The layers are those of ``corpus/real`` that conform, and each is edited in one place outside its
constructor, drawn with the seed (``conformance.mutation``). The line is right if it belongs to the
statement that was edited, "next" if it uses what that computes, or calls the function in which it
is, and wrong if it is elsewhere. Where calls raise, the line of the exception counts; what changes
no number, or is no layer any more, is counted apart. Files with an odd last byte of the SHA-256 of
their name are held out.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lines import in_other_half

from conformance.adapters.errors import AdapterError
from conformance.adapters.resolve import resolve
from conformance.diagnosis.diagnosis import Investigation, investigate
from conformance.diagnosis.explanation import find_lines
from conformance.engine.jax_runtime import remember_compilations
from conformance.mutation.edit_pool import draw_sample
from conformance.mutation.edited_source import LayerSource, find_source
from conformance.mutation.mutants import Mutant, mutants_of, reached
from conformance.properties.support.subject import Subject
from corpus import REAL_VERDICTS

REAL = Path(__file__).parents[1] / "corpus" / "real"


def layers(*, apart: bool) -> Iterator[str]:
    """Yield the names of the layers of one half."""
    for name, entry in REAL_VERDICTS.items():
        if entry["verdict"] == "conforms" and in_other_half(name) == apart:
            yield f"{REAL / name}.py:{entry['entry']}"


def edits_of(source: LayerSource) -> list[Mutant]:
    """Return the edits outside of constructors and defaults."""
    module = ast.parse(source.text)
    every = mutants_of(source.text, source.definitions, file=source.file.name, prefix="edit")
    return [each for each in every if _in_a_call(module.body[each.top], each)]


def _in_a_call(definition: ast.AST, edit: Mutant) -> bool:
    nodes = [reached(definition, edit.path[:depth]) for depth in range(len(edit.path) + 1)]
    functions = [each for each in nodes if isinstance(each, ast.FunctionDef)]
    constructing = any(each.name in {"__init__", "setup"} for each in functions)
    return bool(functions) and not constructing and ("args", None) not in edit.path


def edited_text(source: LayerSource, edit: Mutant) -> str | None:
    """Return the source with an edit made in place; None where that gives another program."""
    module = ast.parse(source.text)
    node = reached(module.body[edit.top], edit.path)
    if not hasattr(node, "end_col_offset"):
        return None
    wanted = ast.dump(edit.applied(module))
    written = ast.unparse(edit.replacement)
    for text in (written, f"({written})"):
        made = _put(source.text, node, text)
        try:
            if ast.dump(ast.parse(made)) == wanted:
                return made
        except SyntaxError:
            continue
    return None


def _put(text: str, node: Any, replacement: str) -> str:
    lines = text.splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno - 1
    before = lines[first].encode()[: node.col_offset].decode()
    after = lines[last].encode()[node.end_col_offset :].decode()
    blank = "\n" * (last - first)  # the lines below keep their numbers
    return "".join([*lines[:first], before + replacement + after + blank, *lines[last + 1 :]])


def places(text: str, edit: Mutant) -> tuple[set[int], set[int]]:
    """Return the lines of the edited statement, and those that use what it computes."""
    module = ast.parse(text)
    nodes = [reached(module.body[edit.top], edit.path[:d]) for d in range(len(edit.path) + 1)]
    statement = [each for each in nodes if isinstance(each, ast.stmt)][-1]
    function = [each for each in nodes if isinstance(each, ast.FunctionDef)][-1]
    stored = {n.id for n in ast.walk(statement) if _is_name(n, ast.Store)}
    calls = [each for each in ast.walk(module) if isinstance(each, ast.Call)]
    using = {c.lineno for c in calls if ast.unparse(c.func).endswith(function.name)}
    for other in (each for each in ast.walk(function) if isinstance(each, ast.stmt)):
        if any(_is_name(n, ast.Load) and n.id in stored for n in ast.walk(other)):
            using |= _lines_of(other)
    return _lines_of(statement), using


def _is_name(node: ast.AST, context: type[ast.expr_context]) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, context)


def _lines_of(statement: Any) -> set[int]:
    """Return the lines of a statement, without those of the statements in it."""
    inner = getattr(statement, "body", None)
    return set(range(statement.lineno, inner[0].lineno if inner else statement.end_lineno + 1))


def judge(source: LayerSource, edit: Mutant) -> tuple[str, str]:
    """Return how the line of an edit is graded, and what is said."""
    text = edited_text(source, edit)
    if text is None:
        return "not made", ""
    try:
        subject = Subject(source.implementation(text))
        found = investigate(subject)
    except AdapterError as error:
        return "refused", str(error).splitlines()[0]
    if not _is_wrong(found):
        return "no wrong number", ""
    lines = [each for each in find_lines(subject, found) if each is not None]
    said = "; ".join(f"{each.line}: {each.text}" for each in lines)
    at = {each.line for each in lines}
    raised = re.search(r"\(\S+, line (\d+)\)$", found.diagnosis.sentence)
    if raised and found.diagnosis.id == "raises":
        at, said = {int(raised[1])}, found.diagnosis.sentence
    own, using = places(source.text, edit)  # of a statement that is left out, too
    grade = "right" if at <= own else "next" if at <= own | using else "wrong"
    return (grade if at else "none"), f"{found.diagnosis.id or 'not named'}  {said}"


def _is_wrong(found: Investigation) -> bool:
    return bool(found.calls.deviant or found.evidence.deviant)


def main() -> None:
    """Edit and diagnose one half of the layers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("design", "held-out"))
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    remember_compilations()
    counts: Counter[str] = Counter()
    for name in layers(apart=options.part == "held-out"):
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            source = find_source(name, resolve(name), Path(folder))
            for edit in draw_sample(edits_of(source), options.each, options.seed):
                grade, said = judge(source, edit)
                counts[grade] += 1
                print(f"{grade:16}{source.file.name}:{edit.line}  {edit.edit}", flush=True)
                print(f"{'':16}{said}" if said else "", end="\n" if said else "", flush=True)
    print(dict(counts))


if __name__ == "__main__":
    sys.exit(main())
