"""The edits of a module are those that its source admits, the same ones each time."""

from __future__ import annotations

import ast

from conformance.mutation.edit_pool import draw_sample
from conformance.mutation.mutants import mutants_of, used_definitions

TOY = '''
import library

def helper(x: int) -> int:
    """Not behaviour."""
    return x

class Toy:
    """Not behaviour."""

    def __init__(self, mean, var, rate=0.5, eps=0.25):
        self.mean: library.Array = library.zeros(mean)
        self.var = var

    def __call__(self, x, mode):
        if mode and x < 1:
            self.mean[...] = helper(x, mode=True)
        out = (x - self.mean[...]) / self.var
        return out, x

def unused(x):
    return x + 1
'''


def make_mutants(source=TOY, names=("Toy", "helper")):
    return mutants_of(source, names, file="toy", prefix="toy")


def test_each_kind_of_edit_is_made():
    """The edits of the toy are those that its source admits, by kind."""
    found = {(mutant.kind, mutant.edit) for mutant in make_mutants()}

    assert found >= {
        ("attribute", "self.var = var → self.mean = var"),
        ("boolean operator", "if mode and x < 1 → if mode or x < 1"),
        ("call dropped", "helper(x, mode=True) → x"),
        ("comparison", "if mode and x < 1 → if mode and x <= 1"),
        ("condition fixed", "if mode and x < 1 → if False"),
        ("constant", "helper(x, mode=True) → helper(x, mode=False)"),
        ("constant", "rate=0.5 → rate=1.0"),
        ("constant", "if mode and x < 1 → if mode and x < 2"),
        ("counterpart", "library.zeros(mean) → library.ones(mean)"),
        ("keyword dropped", "helper(x, mode=True) → helper(x)"),
        ("name", "library.zeros(mean) → library.zeros(var)"),
        ("operand order", "x - self.mean[...] → self.mean[...] - x"),
        ("operator", "x - self.mean[...] → x + self.mean[...]"),
        ("order", "return (out, x) → return (x, out)"),
        ("return value", "return (out, x) → return None"),
        ("statement deleted", "self.var = var → pass"),
        ("subscript dropped", "x - self.mean[...] → x - self.mean"),
    }


def test_only_behaviour_of_the_named_definitions_is_edited():
    """Docstrings, annotations and other functions stay as they are."""
    original = ast.parse(TOY)
    for mutant in make_mutants():
        mutated = mutant.applied(original)
        assert ast.dump(mutated) != ast.dump(original)
        assert ast.dump(mutated.body[-1]) == ast.dump(original.body[-1])
        assert "Not behaviour" in ast.unparse(mutated)
        assert "x: int) -> int" in ast.unparse(mutated)
        assert "self.mean: library.Array" in ast.unparse(mutated) or mutant.kind in {
            "statement deleted",
            "attribute",
        }


def test_programs_are_distinct_and_compile():
    """No two mutants are the same program; each is one that Python compiles."""
    trees = [mutant.applied(ast.parse(TOY)) for mutant in make_mutants()]

    assert len({ast.dump(tree) for tree in trees}) == len(trees)
    for tree in trees:
        compile(tree, "toy", "exec")


def test_ids_are_deterministic():
    """The same source yields the same ids and edits; ids are numbered in source order."""
    first, again = make_mutants(), make_mutants()

    assert [(m.identity, m.edit) for m in first] == [(m.identity, m.edit) for m in again]
    assert first[0].identity == "toy-001"
    assert len({m.identity for m in first}) == len(first)


def test_the_statement_of_an_edit_is_known():
    """The line where the statement starts decides whether the edit can ever be executed."""
    statements = {m.edit: m.statement for m in make_mutants()}
    head = TOY.splitlines().index("        if mode and x < 1:") + 1

    assert statements["if mode and x < 1 → if False"] == head
    assert statements["helper(x, mode=True) → x"] == head + 1


def test_helpers_are_found():
    """The functions that a class uses are mutated with it, and no others."""
    assert used_definitions(TOY, "Toy") == ("Toy", "helper")


NUMERIC = """
import library
from typing import TypeVar

LIMIT = 4 * 1024
T = TypeVar("T")

def norm(x):
    if len(x) > LIMIT:
        raise ValueError(f"{len(x)} is more than {LIMIT}")
    spread: T = library.std(x, dtype=library.float64) ** 2
    return library.stop_gradient(x) @ spread
"""


def test_edits_of_numbers_and_library_calls():
    """Constants of the module are edited with what uses them, texts and types are not."""
    names = used_definitions(NUMERIC, "norm")
    found = {mutant.edit for mutant in make_mutants(NUMERIC, names)}

    assert set(names) == {"norm", "LIMIT", "T"}
    assert found >= {
        "LIMIT = 4 * 1024 → LIMIT = 4 / 1024",
        "LIMIT = 4 * 1024 → LIMIT = 5 * 1024",
        "if len(x) > LIMIT → if len(x) >= LIMIT",
        "library.stop_gradient(x) → x",
        "library.std(x, dtype=library.float64) → library.var(x, dtype=library.float64)",
        "dtype=library.float64 → dtype=library.float32",
        "library.std(x, dtype=library.float64) → library.std(x)",
        "library.std(x, dtype=library.float64) ** 2 → library.std(x, dtype=library.float64) * 2",
        "raise ValueError(f'{len(x)} is more than {LIMIT}') → pass",
    }
    assert not any("TypeVar" in edit or "is more than" in edit.split("→")[1] for edit in found)


def test_a_sample_is_drawn_by_its_seed_and_keeps_the_order():
    """The same seed draws the same edits; without a limit all are judged."""
    edits = make_mutants()
    first, again, other = (draw_sample(edits, 5, seed) for seed in (1, 1, 2))

    assert first == again != other
    assert [each.number for each in first] == sorted(each.number for each in first)
    assert draw_sample(edits, None, 0) == draw_sample(edits, len(edits), 0) == edits
