"""benchmarks/mutants.py makes the edits that it says, the same ones each time."""

from __future__ import annotations

import ast
import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from mutation.catalogue import mutants_of, used_definitions
from mutation.probes import lines, noting_lines, probed
from mutation.record import VERDICTS, opinions
from mutation.report import shortened
from pool import CRASH, TIME_LIMIT, answers

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


def test_executed_statements_are_noted():
    """Probes report exactly the statements that ran."""
    with noting_lines():
        tree, names = probed(ast.parse("def f(x):\n  if x:\n    return 1\n  return 2\n"), "toy")
    lines.clear()
    space = dict(names)
    exec(compile(tree, "toy", "exec"), space)

    assert space["f"](0) == 2
    assert lines == {("toy", 2), ("toy", 4)}


def test_a_task_that_fails_ends_its_process_or_loops_is_an_answer():
    """The others are still answered, and the lost one cannot be used by mistake."""
    tasks = [("fine", (len, ("abc",))), ("failed", (int, ("x",))), ("ended", (os._exit, (3,)))]
    found = dict(answers(tasks, jobs=1))
    found |= answers([("loops", (time.sleep, (60,)))], jobs=1, limit=1)

    assert found["fine"].unwrap() == 3
    assert found["failed"].lost.startswith("ValueError: invalid literal")
    assert found["ended"].lost == CRASH
    assert found["loops"].lost == TIME_LIMIT
    with pytest.raises(RuntimeError, match=TIME_LIMIT):
        found["loops"].unwrap()


def test_helpers_are_found():
    """The functions that a class uses are mutated with it, and no others."""
    assert used_definitions(TOY, "Toy") == ("Toy", "helper")


def test_a_long_edit_is_shown_where_it_differs():
    """Both sides keep the same surroundings."""
    before, after = shortened("a" * 60 + "+" + "b" * 60, "a" * 60 + "-" + "b" * 60)

    assert before == "…" + "a" * 18 + "+" + "b" * 18 + "…"
    assert after == "…" + "a" * 18 + "-" + "b" * 18 + "…"


@pytest.mark.skipif(not VERDICTS.exists(), reason="no verdicts in this checkout")
def test_verdicts_give_reasons():
    """Every verdict says why."""
    assert all(opinion.why for opinion in opinions().values())
