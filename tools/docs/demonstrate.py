"""Shows each cause in docs/findings on the installed framework, and that its change removes it.

Usage: python tools/docs/demonstrate.py [CAUSE ...]

For each cause: the script prints something else than it expects; `change.diff` applies to a copy of
the installed framework; with the copy the script prints what it expects, and the test passes, which
fails without. Writes docs/data/demonstrations.json, which the pages quote, and ends with 1 if a
cause is not shown.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from cause_texts import FOLDER
from causes import CAUSES, Cause

DATA = FOLDER.parent / "data" / "demonstrations.json"

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? ")
_FRAMEWORKS = {"haiku": "dm-haiku"}
"""The distribution of a package, where its name is another one."""


def deviations(output: str) -> list[tuple[str, str]]:
    """Return the pairs of *expected* and *got* in what a script printed that are not equal.

    Args:
        output: Each line that starts with *expected* is followed by one that starts with *got*.

    Raises:
        ValueError: It has no such pair.
    """
    lines = [line.partition(" ") for line in output.splitlines()]
    pairs = [
        (expected[2].strip(), got[2].strip())
        for expected, got in pairwise(lines)
        if (expected[0], got[0]) == ("expected", "got")
    ]
    if not pairs:
        raise ValueError(f"nothing is expected in {output[:200]!r}")
    return [pair for pair in pairs if pair[0] != pair[1]]


def changed_lines(diff: str) -> Iterator[tuple[str, int, int]]:
    """Yield the file, and the first and last line of the original that each hunk changes.

    Lines that are only added count as a change of the line that they follow.
    """
    file, number, touched = "", 0, list[int]()
    for line in [*diff.splitlines(), "@@ end"]:
        if line.startswith(("@@", "---")) and touched:
            yield file, min(touched), max(touched)
            touched = []
        if line.startswith("--- "):
            file = line.removeprefix("--- a/")
        elif found := _HUNK.match(line):
            number = int(found[1])
        elif line.startswith("-"):
            touched.append(number)
            number += 1
        elif line.startswith("+") and not line.startswith("+++"):
            touched.append(max(number - 1, 1))
        elif line.startswith(" "):
            number += 1


def places(diff: str, site: Path) -> list[dict[str, Any]]:
    """Return what a diff changes: file, function, first and last line of the installed source."""
    return [
        {"file": file, "function": _function(site / file, first), "lines": [first, last]}
        for file, first, last in changed_lines(diff)
    ]


def _function(file: Path, line: int) -> str:
    """Return the dotted name of the innermost function or class around a line."""
    names, nodes = [], [ast.parse(file.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        inside = [
            each
            for each in ast.iter_child_nodes(node)
            if isinstance(each, ast.stmt) and each.lineno <= line <= (each.end_lineno or 0)
        ]
        nodes = inside[:1]
    return ".".join(names)


def package(diff: str) -> str:
    """Return the top-level package that a diff changes."""
    return next(changed_lines(diff))[0].partition("/")[0]


def site_of(name: str) -> Path:
    """Return the folder that an installed package is in."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed: pip install -e '.[peers]'")
    return Path(found.origin).parents[1]


def run(command: list[Any], site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command, with another folder of packages before the installed ones if one is given."""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(site or "")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def output_of(cause: str, python: str = sys.executable, site: Path | None = None) -> str:
    """Return what the script of a cause prints.

    Raises:
        RuntimeError: It ends with an error.
    """
    done = run([python, "-W", "ignore", FOLDER / cause / "script.py"], site)
    if done.returncode != 0:
        raise RuntimeError(f"{cause}/script.py: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip()


def _test_passes(cause: str, site: Path | None = None) -> bool:
    """Return whether the test of a cause passes.

    Raises:
        RuntimeError: It neither passes nor fails.
    """
    with tempfile.TemporaryDirectory() as folder:  # pytest imports what is beside a test
        file = Path(folder) / f"{cause.replace('-', '_')}_test.py"
        file.write_bytes((FOLDER / cause / "test.py").read_bytes())
        options = ["-q", "-W", "ignore", "-p", "no:cacheprovider", "--rootdir", folder]
        done = run([sys.executable, "-m", "pytest", *options, file], site)
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"{cause}/test.py: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.returncode == 0


def apply(diff: Path, folder: Path) -> None:
    """Apply a diff to the files in a folder.

    Raises:
        RuntimeError: It does not apply; the message is that of git.
    """
    patch = [shutil.which("git") or "git", "apply", "--whitespace=nowarn", diff.resolve()]
    ceiling = {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}  # none around it counts
    environment = {**os.environ, **ceiling}
    done = subprocess.run(
        patch, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{diff}: does not apply: {done.stderr.strip()}")


def demonstrate(cause: Cause) -> dict[str, Any]:
    """Return what is shown of a cause: versions, places in the source, and what the script prints.

    Raises:
        RuntimeError: It is not shown: which of the four conditions does not hold.
    """
    diff = FOLDER / cause.name / "change.diff"
    text = diff.read_text(encoding="utf-8")
    name = package(text)
    before = output_of(cause.name)
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder).resolve()
        shutil.copytree(site_of(name) / name, site / name)
        apply(diff, site)
        after = output_of(cause.name, site=site)
        claims = {
            "the script shows no deviation": bool(deviations(before)),
            f"with the change the script still shows {deviations(after)}": not deviations(after),
            "the test passes without the change": not _test_passes(cause.name),
            "the test fails with the change": _test_passes(cause.name, site),
        }
    wrong = [claim for claim, holds in claims.items() if not holds]
    if wrong:
        raise RuntimeError(f"{cause.name}: {'; '.join(wrong)}")
    shown = dict.fromkeys((_FRAMEWORKS.get(name, name), "jax"))
    return {
        "versions": {each: version(each) for each in shown},
        "places": places(text, site_of(name)),
        "output": before,
    }


def main(names: list[str]) -> int:
    """Demonstrate the named causes, or all; return 1 if one is not shown."""
    known = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    failed = 0
    for cause in CAUSES:
        if names and cause.name not in names:
            continue
        try:
            known[cause.name] = demonstrate(cause)
            print(f"{cause.name}: shown, and removed by the change")
        except RuntimeError as error:
            failed = 1
            print(error)
    ordered = {cause.name: known[cause.name] for cause in CAUSES if cause.name in known}
    DATA.write_text(json.dumps(ordered, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
