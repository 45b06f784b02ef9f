"""Runs the commands that README and docs show, and records their output in the pages.

Every ``console`` block that consists of one command and its output is recorded. The commands run in
a directory that contains the files shown in the README, and flax's layer without its declaration.

Usage: python tools/docs/record.py

Run it on an idle machine, in an environment where only `pip install .` was run: other work and
other pytest plugins show in the output.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "docs/usage.md", "docs/pytest.md")]

_BLOCK = re.compile(r"(```console\n\$ )([^\n]*)(\n)(.+?)(```)", re.DOTALL)
_FILE = re.compile(r"```python\n(# (\S+\.py)\n.*?)```", re.DOTALL)

UNDECLARED = """\
from dataclasses import replace

from impl import flax_default

undeclared = replace(flax_default(), name="undeclared.py:undeclared", deviations=frozenset())
"""


def output_of(command: str, directory: Path) -> str:
    """Return the output of a command on 80 columns, without paths of this machine."""
    scripts = str(Path(sys.executable).parent)
    done = subprocess.run(
        command,
        shell=True,
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "80", "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
    )
    if done.returncode not in {0, 1}:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    text = "\n".join("rootdir: …" if line.startswith("rootdir:") else line for line in lines)
    text = re.sub(r"^cachedir:.*\n|^configfile:.*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"\S*/bin/python\S*", ".venv/bin/python3", text.strip("\n"))


def record(page: str, directory: Path) -> str:
    """Return a page with the output of its commands as it is now."""

    def recorded(block: re.Match[str]) -> str:
        if block[4].startswith("$ ") or "gpu" in block[2]:
            return block[0]  # commands only, or recorded where there is an accelerator
        print(block[2], flush=True)
        return f"{block[1]}{block[2]}\n{output_of(block[2], directory)}\n```"

    return _BLOCK.sub(recorded, page)


def main() -> None:
    """Record the output in every page."""
    pages = {path: path.read_text(encoding="utf-8") for path in PAGES}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for page in pages.values():
            for code, file in _FILE.findall(page):
                (directory / file).write_text(code, encoding="utf-8")
        (directory / "undeclared.py").write_text(UNDECLARED, encoding="utf-8")
        for path, page in pages.items():
            path.write_text(record(page, directory), encoding="utf-8")


if __name__ == "__main__":
    main()
