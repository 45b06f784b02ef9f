"""What importing costs, and which module may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import conformance

HEAVY = {"jax", "flax", "numpy", "hypothesis"}
FOR_JUDGING = HEAVY | {"pytest", "rich", "jinja2", "jsonschema"}
"""What commands that only print text have no use for; click is enough for them."""

RANKS = {
    **dict.fromkeys(
        (
            *("requirements", "verdict", "waivers", "profiles", "compilation", "devices", "timing"),
            "layers",
        ),
        0,
    ),
    **dict.fromkeys(("implementation", "wider", "ordering", "report"), 1),
    **dict.fromkeys(
        (
            "case",
            "exact",
            "strategies",
            "oracle",
            "following",
            "precise",
            "probe",
            "adapters",
            "loading",
            "recognition",
            "resolution",
            "galleries",
            "proof",
            "conventions",
        ),
        2,
    ),
    "bounds": 3,
    "checks": 4,
    "subject": 5,
    **dict.fromkeys(("properties", "machine", "mistakes", "smoking", "diagnosis"), 6),
    **dict.fromkeys(("trial", "declarations", "judging"), 7),
    **dict.fromkeys(
        (
            *("ledger", "session", "plugin", "options", "planning", "waiver_files"),
            *("door", "isolation", "behaviours", "scripts"),
        ),
        8,
    ),
    **dict.fromkeys(("cli", "__init__", "__main__"), 9),
}
"""A module imports from its own rank or from below."""

PACKAGE = Path(conformance.__file__).parent


def loaded_by(code: str, among: set[str] = HEAVY) -> set[str]:
    """Return which of some packages a fresh interpreter has loaded after running the code."""
    show = "import sys; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True
    )
    return among & set(done.stdout.splitlines()[-1].split())


def imported_by(source: str) -> set[str]:
    """Return the top-level modules of conformance that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "conformance":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            head, _, rest = node.module.partition(".")
            found |= {rest.split(".")[0]} if head == "conformance" else set()
    return found & RANKS.keys()


@pytest.mark.parametrize(
    "module",
    ["conformance", "conformance.plugin", "conformance.cli", "conformance.requirements"],
)
def test_importing_is_light(module: str):
    """Importing the package, its plugin, command line or table loads nothing heavy."""
    assert loaded_by(f"import {module}") == set()


def command(*arguments: str) -> str:
    """Return code that runs the command line, and goes on."""
    call = f"main({list(arguments)!r}, standalone_mode=False)"
    return f"from conformance.cli import main\n{call}"


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
    """Commands that judge nothing and render no report import what prints their text, no more."""
    assert loaded_by(command(*arguments), FOR_JUDGING) == set()


def test_what_only_hands_out_work_stays_light():
    """Judging happens in a process of its own: pytest's loads no framework, NumPy or Hypothesis."""
    judging = command("run", "impl", "-k", "INIT-1", "-j", "1")
    ended = judging.replace("\nmain", "\ntry: main") + "\nexcept SystemExit as end: print(end.code)"
    assert loaded_by(ended) == set()


def test_the_check_of_light_imports_can_fail():
    """The same look at what needs NumPy and Hypothesis, or rich and pytest, finds them."""
    assert {"numpy", "hypothesis"} <= loaded_by("import conformance.strategies.cases")
    assert {"pytest", "rich"} <= loaded_by("import conformance.cli.session", FOR_JUDGING)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_run_one_way(path: Path):
    """No module imports from a higher rank; building a layer on demand is the one exception."""
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    allowed = {"adapters"} if name == "implementation" else set()
    upwards = {m for m in imported_by(path.read_text()) if RANKS[m] > RANKS[name]}
    assert upwards <= allowed


def test_the_check_of_directions_sees_every_form():
    """Imports of modules, from modules, and inside functions are all seen."""
    source = "from conformance import oracle\ndef f():\n    from conformance.cli.run import run"
    assert imported_by(source) == {"oracle", "cli"}


def test_all_is_what_is_public():
    """``__all__`` names the public objects of the package and its version, nothing else."""
    public = {
        name
        for name, value in vars(conformance).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    } - {"annotations"}
    assert set(conformance.__all__) == public | {"__version__"}


def test_all_is_sorted():
    """``__all__`` lists constants, then classes, then the rest, each alphabetically."""

    def rank(name: str) -> int:
        return 0 if name.isupper() else 1 if name[0].isupper() else 2

    assert conformance.__all__ == sorted(conformance.__all__, key=lambda n: (rank(n), n))
