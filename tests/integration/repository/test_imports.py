"""The cost of imports, and the public names."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest
from importlinter import cli

import conformance

FRAMEWORKS = {"jax", "jaxlib", "flax", "optax", "orbax", "impl"}
HEAVY = {"jax", "flax", "numpy", "hypothesis"}
FOR_JUDGING = HEAVY | {"pytest", "rich", "jinja2", "jsonschema"}
"""What commands that only print text have no use for; click is enough for them."""


def find_loaded(code: str, among: set[str] = HEAVY) -> set[str]:
    """Return which of some packages a fresh interpreter has loaded after running the code."""
    show = "import sys; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True
    )
    return among & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "module",
    [
        "conformance",
        "conformance.frontends.pytest_plugin",
        "conformance.frontends.cli",
        "conformance.requirements",
    ],
)
def test_importing_is_light(module: str):
    """Importing the package, its plugin, command line or table loads nothing heavy."""
    assert find_loaded(f"import {module}") == set()


def test_the_library_imports_no_framework():
    """The oracle and the bounds need NumPy alone, the strategies Hypothesis as well."""
    for module, needed in (
        ("oracle", set()),
        ("bounds", set()),
        ("strategies.public", {"hypothesis"}),
    ):
        loaded = find_loaded(f"import conformance.{module}", FRAMEWORKS | FOR_JUDGING)
        assert loaded <= {"numpy", *needed}, module


def command(*arguments: str) -> str:
    """Return code that runs the command line, and goes on."""
    call = f"main({list(arguments)!r}, standalone_mode=False)"
    return f"from conformance.frontends.cli import main\n{call}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("run", "--help"),
        ("list",),
        ("explain", "BN-EMA-1"),
        ("implementations",),
        ("schema",),
    ],
    ids=" ".join,
)
def test_looking_is_light(arguments: tuple[str, ...]):
    """Commands that neither judge nor render a report import only what prints their text."""
    assert find_loaded(command(*arguments), FOR_JUDGING) == set()


def judge_in(workers: str) -> str:
    """Return code that judges one requirement in so many processes, and goes on."""
    judging = command("run", "impl", "-k", "INIT-1", "-j", workers)
    return judging.replace("\nmain", "\ntry: main") + "\nexcept SystemExit as end: print(end.code)"


def test_the_check_of_light_imports_can_fail():
    """The same check finds NumPy and Hypothesis, or rich and pytest, where they are needed."""
    assert {"numpy", "hypothesis"} <= find_loaded("import conformance.strategies.palette_cases")
    making = "import impl, optax; impl.reference()"
    assert FRAMEWORKS - {"orbax"} <= find_loaded(making, FRAMEWORKS)
    assert {"pytest", "rich"} <= find_loaded(
        "import conformance.frontends.cli.gallery_session", FOR_JUDGING
    )


def test_all_is_what_is_public():
    """``__all__`` names exactly the public objects of the package and its version."""
    values = {name: getattr(conformance, name) for name in dir(conformance)}
    public = {
        name
        for name, value in values.items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    } - {"annotations", "Any", "TYPE_CHECKING", "import_module"}
    assert set(conformance.__all__) == public | {"__version__"}


def test_all_is_sorted():
    """``__all__`` lists constants, then classes, then the rest, each alphabetically."""

    def rank(name: str) -> int:
        return 0 if name.isupper() else 1 if name[0].isupper() else 2

    assert conformance.__all__ == sorted(conformance.__all__, key=lambda n: (rank(n), n))


JUDGING = """
from multiprocessing import Pipe
from pathlib import Path
from threading import Thread

from conformance.engine.budget import budget
from conformance.engine.pool_member import serve
from conformance.engine.tasks import Task, Turn

ours, theirs = Pipe()
pair = "BN-INIT-1", "impl"
for message in ((Task(pairs=(pair,), budget=budget(max_examples=2)), 1), Turn(pair), None):
    ours.send(message)
found = []
Thread(target=lambda: (found.append(ours.recv()), ours.close()), daemon=True).start()
serve(theirs, Path("does not exist"))
assert found[0].verdict.outcome.value == "conforms", found
"""


def test_no_framework_is_imported_where_verdicts_are_reached():
    """Layers live in other processes: one that judges has the arrays that they return, no more."""
    assert find_loaded(JUDGING, FRAMEWORKS | HEAVY) == {"numpy", "hypothesis"}
    diagnosing = "import conformance.diagnosis.expert"
    assert find_loaded(diagnosing, FRAMEWORKS | HEAVY) == {"numpy", "hypothesis"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_process_that_only_distributes_work_stays_light(workers: str):
    """The first process collects verdicts, and imports nothing that judges or is judged."""
    assert find_loaded(judge_in(workers), FRAMEWORKS | HEAVY) == set()


def test_rooms_import_one_way():
    """The layers of pyproject.toml hold, and no two modules import each other."""
    assert cli.lint_imports(no_cache=True) == cli.EXIT_STATUS_SUCCESS
