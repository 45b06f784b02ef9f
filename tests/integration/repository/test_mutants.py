"""What benchmarks/mutants.py is made of: probes, a pool of processes, and verdicts."""

from __future__ import annotations

import ast
import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from mutation.probes import lines, noting_lines, probed
from mutation.record import VERDICTS, opinions
from mutation.report import shortened
from pool import CRASH, TIME_LIMIT, answers


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


def test_a_long_edit_is_shown_where_it_differs():
    """Both sides keep the same surroundings."""
    before, after = shortened("a" * 60 + "+" + "b" * 60, "a" * 60 + "-" + "b" * 60)

    assert before == "…" + "a" * 18 + "+" + "b" * 18 + "…"
    assert after == "…" + "a" * 18 + "-" + "b" * 18 + "…"


@pytest.mark.skipif(not VERDICTS.exists(), reason="no verdicts in this checkout")
def test_verdicts_give_reasons():
    """Every verdict says why."""
    assert all(opinion.why for opinion in opinions().values())
