"""Run the commands that the README shows, and write what they print there.

Each command runs in a directory that holds the files of the README and the layer without its
declaration; the commands that come without output are left alone.

Usage: python docs/record.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"

_BLOCK = re.compile(r"(```console\n\$ )([^\n]*)(\n)(.+?)(```)", re.DOTALL)
_FILE = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)

UNDECLARED = """\
from dataclasses import replace

from impl import flax_default

undeclared = replace(flax_default(), name="undeclared.py:undeclared", deviations=frozenset())
"""


def printed(command: str, directory: Path) -> str:
    """Return what a command prints, on 80 columns, without what belongs to this machine."""
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


def main() -> None:
    """Write the README anew."""
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for file, code in _FILE.findall(text):
            (directory / file).write_text(code, encoding="utf-8")
        (directory / "undeclared.py").write_text(UNDECLARED, encoding="utf-8")

        def recorded(block: re.Match[str]) -> str:
            if block[4].startswith("$ "):
                return block[0]  # commands alone
            print(block[2], flush=True)
            return f"{block[1]}{block[2]}\n{printed(block[2], directory)}\n```"

        text = _BLOCK.sub(recorded, text)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
