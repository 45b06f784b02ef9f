"""Which requirements rest on the word of the judged process, derived from what properties do."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from support.recording import operations_of

import conformance.properties
from conformance.adapters.operations.catalogue import ON_TRUST, OPERATIONS
from conformance.properties import PROPERTIES
from conformance.requirements import REQUIREMENTS, select

MARKED = [row.id for row in select(REQUIREMENTS) if row.on_word]


def _definitions() -> dict[str, list[ast.FunctionDef]]:
    found = defaultdict(list)
    for path in Path(conformance.properties.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                found[node.name].append(node)
    return found


DEFINED = _definitions()


def _named(function: str) -> set[str]:
    """Return the operations that a function names, and those that it calls, by their names."""
    seen, pending, found = set(), [function], set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        for definition in DEFINED.get(name, ()):
            for node in ast.walk(definition):
                if isinstance(node, ast.Constant) and node.value in OPERATIONS:
                    found.add(node.value)
                elif isinstance(node, ast.Name | ast.Attribute):
                    pending.append(node.id if isinstance(node, ast.Name) else node.attr)
    return found


def test_operations_on_trust_exist():
    """A fact that nobody asks for would rest on nothing."""
    assert set(OPERATIONS) >= ON_TRUST


@pytest.mark.parametrize("identity", REQUIREMENTS)
def test_the_table_marks_what_rests_on_facts(identity: str):
    """A requirement is marked if and only if its property names an operation on trust."""
    named = _named(PROPERTIES[identity].claim.__name__)
    assert bool(named & ON_TRUST) == REQUIREMENTS[identity].on_word


@pytest.mark.parametrize("identity", MARKED)
def test_judging_what_is_marked_takes_facts(identity: str):
    """What the property of a marked requirement executes includes an operation on trust."""
    assert operations_of(identity) & ON_TRUST
