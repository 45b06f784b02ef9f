"""Writing reports, settings, modules and the source of the suite, in the working folder."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import marshal
import os
import struct
import sys
import tempfile
from pathlib import Path

import conformance
from support.forgeries import End, before_each_call, submission
from support.forgeries.layers import (
    MUST_VIOLATE,
    Always42,
    EpsOutside,
    Right,
    SwappedMomentum,
)

_DISARM = """
violation.__code__ = (lambda quantity, got, expected, **rest: None).__code__
def check_within(quantity, got, expected, bound): _count(7)
def check_identical(quantity, got, expected, *, rule=""): _count(7)
"""

_PRETEND = """
import sys
import conformance.report.exit_codes as codes
import conformance.requirements.verdict as verdict
verdict.Outcome.VIOLATES._value_ = "conforms"
codes.exit_code_of = lambda *args, **rest: codes.ExitCode.OK
for module in list(sys.modules.values()):
    if hasattr(module, "decide_exit_code"):
        module.decide_exit_code = lambda *args, **rest: codes.ExitCode.OK
"""

_CONFTEST = """
import pytest
@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome = "passed"
    return report
def pytest_sessionfinish(session):
    session.exitstatus = 0
"""


def _write(name, text):
    """Write a file in the working folder, which must be an empty one made for this run."""
    path = Path(name)
    assert not path.is_absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@submission(Always42, rounds=2)
def settings_of_pytest():
    """Writes settings and plugins of pytest that let every test pass."""
    _write("conftest.py", _CONFTEST)
    _write("pytest.ini", "[pytest]\naddopts = -p conftest --collect-only\n")
    _write("pyproject.toml", '[tool.pytest.ini_options]\naddopts = "--co"\n')
    _write("tox.ini", "[pytest]\naddopts = --co\n")
    os.environ["PYTEST_ADDOPTS"] = "-p conftest --collect-only"
    os.environ["PYTEST_PLUGINS"] = "conftest"


_SHADOW = f"""
import sys
here = __file__.rpartition("/")[0]
sys.path[:] = [place for place in sys.path if place not in {{"", here}}]
del sys.modules[__name__]
sys.modules[__name__] = __import__(__name__)
{_PRETEND}
"""
"""A module that makes room for the one whose name it has, and pretends."""


def _shadow_modules():
    """Write such a module for everything that a judge may still want to import."""
    others = {"numpy", "hypothesis", "jsonschema", "jinja2", "jax", "flax", "rich", "sitecustomize"}
    for name in others | set(sys.stdlib_module_names):
        _write(f"{name}.py", _SHADOW)
    _write("conformance.py", _SHADOW)
    _write("forged.pth", f"import sys; exec({_PRETEND!r})\n")
    os.environ["PYTHONPATH"] = str(Path.cwd())


@submission(Always42, rounds=2)
def modules_in_the_working_folder():
    """Writes modules that a later run could import, in itself or in its workers."""
    _shadow_modules()


@submission(Always42, rounds=2, options=("-j2",))
def modules_for_parallel_workers():
    """The same, for a later run whose verdicts are reached in several processes."""
    _shadow_modules()


@submission(Always42, folder_on_path=True)
def modules_that_are_imported_late():
    """Writes the same for what the running judge has not imported yet."""
    _shadow_modules()


@submission(Always42, rounds=2)
def an_installed_plugin():
    """Writes the metadata of a distribution with a plugin of pytest and an implementation."""
    _write("forged-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: forged\nVersion: 1.0\n")
    _write(
        "forged-1.0.dist-info/entry_points.txt",
        "[pytest11]\nforged = conftest\n[conformance.implementations]\nimpl = conftest:layer\n",
    )
    _write("conftest.py", _CONFTEST)


@submission(SwappedMomentum)
def reports():
    """Writes the reports of the run before the suite does, and makes them hard to replace."""
    verdict = {"requirement": "BN-EVAL-1", "outcome": "conforms"}
    _write("report.json", json.dumps({"verdicts": [verdict], "footer": {"exit_code": 0}}))
    Path("report.json").chmod(0o444)
    for name in ("report.html", "journal.jsonl", "junit.xml", "badge.svg"):
        _write(name, "conforms")


@submission(EpsOutside, rounds=2, options=("--no-config",))
def waivers():
    """Writes waivers for whatever it violates, and settings that name them."""
    _waive("waivers")


@submission(EpsOutside, rounds=2, options=("--grade=grade.json",))
def waivers_of_a_grade():
    """Does the same where a grade is asked for, which depends on no settings of a folder."""
    _waive("waivers_of_a_grade")


def _waive(name):
    entry = "[[waiver]]\nrequirement = '{}'\nimplementation = '{}'\nreason = '-'\nissue = '-'\n"
    waived = sorted(MUST_VIOLATE[EpsOutside.__name__])
    text = "".join(entry.format(each, f"{__name__}:{name}") for each in waived)
    for file in ("waivers.toml", ".conformance/waivers.toml"):
        _write(file, text)
    _write("conformance.toml", "waivers = 'waivers.toml'\n")


@submission(Always42, options=("--junit=junit.xml",))
def drafts_of_the_run():
    """Changes every temporary file and folder that the run has made for itself."""
    temporary = Path(tempfile.gettempdir())
    assert temporary.is_relative_to(Path.cwd()), temporary

    def change():
        for path in temporary.rglob("*"):
            with contextlib.suppress(OSError):
                path.write_text("<testsuites/>")

    return before_each_call(Always42, change)


def _suite_in_the_working_folder():
    """Return the folder of the suite; it must be a copy that was made for this run."""
    suite = Path(conformance.__file__).parent.resolve()
    assert suite.is_relative_to(Path.cwd().resolve()), suite
    return suite


@submission(Always42, end=End.LOSS, suite_copied=True)
def source_of_the_suite():
    """Changes the source of the checks and ends its process, so that a new one imports it."""
    path = _suite_in_the_working_folder() / "properties" / "support" / "checks.py"
    if _DISARM in path.read_text():
        return None
    path.write_text(path.read_text() + _DISARM)
    return before_each_call(Always42, lambda: os._exit(0))


@submission(Always42, end=End.LOSS, suite_copied=True)
def bytecode_of_the_suite():
    """Changes the compiled checks instead, and leaves the source as it was."""
    path = _suite_in_the_working_folder() / "properties" / "support" / "checks.py"
    cached = Path(importlib.util.cache_from_source(str(path)))
    forged = path.read_text() + _DISARM
    if cached.exists() and b"check_identical" in cached.read_bytes() and Path("done").exists():
        return None
    Path("done").write_text("1")
    code = marshal.dumps(compile(forged, str(path), "exec"))
    stat = path.stat()
    head = importlib.util.MAGIC_NUMBER + struct.pack("<3I", 0, int(stat.st_mtime), stat.st_size)
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(head + code)
    return before_each_call(Always42, lambda: os._exit(0))


@submission(EpsOutside, suite_copied=True)
def source_that_is_imported_late():
    """Changes every module of the suite that the judge may not have imported yet."""
    suite = _suite_in_the_working_folder()
    for folder in ("report", "diagnosis", "frontends"):
        for path in (suite / folder).rglob("*.py"):
            path.write_text(_late(path.read_text()), "utf-8")


def _late(source):
    """Return a module that pretends as soon as it is imported, and works as before."""
    imports = source.find("\nfrom __future__ import annotations\n")
    if imports < 0:
        return source
    head, tail = source[:imports], source[imports:]
    future, rest = tail[: tail.index("\n", 1) + 1], tail[tail.index("\n", 1) + 1 :]
    return head + future + f"exec({_PRETEND!r})\n" + rest


@submission(Right)
def neighbour_writes_files():
    """Right: keeps a cache and settings in the working folder, as many packages do."""
    _write("conftest.py", "collect_ignore = ['spam']\n")
    _write("cache/results.json", '{"outcome": "violates"}')
    _write("pytest.ini", "[pytest]\naddopts = -q\n")
    os.environ["PYTEST_ADDOPTS"] = "-q"
    os.environ["PYTHONPATH"] = "cache"
    sys.path.append("cache")
