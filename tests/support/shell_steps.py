"""The shell steps of CI templates, executed as the services do, except installations."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

_PYTHON = f"""#!/bin/sh
test "$1 $2" = "-m pip" || exec {sys.executable} "$@"
printf '%s\\n' "$*" >> "$INSTALLED"
"""
"""A ``python`` that records the arguments of pip instead of running it."""


def template(name: str) -> dict[str, Any]:
    """Return a template as YAML has it; 'on' is a word there, and no truth value."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return yaml.safe_load(re.sub(r"^on:", "'on':", text, flags=re.MULTILINE))


def expand_expressions(text: str, known: Mapping[str, str]) -> str:
    """Return a text with each ``${{ expression }}`` replaced; KeyError if one is not known."""
    return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", lambda found: known[found[1]], text)


class Job:
    """A directory in which steps run one after the other, with their shared environment."""

    def __init__(self, place: Path, **variables: str) -> None:
        tools = place / "tools"
        tools.mkdir(parents=True)
        (tools / "python").write_text(_PYTHON, encoding="utf-8")
        (tools / "python").chmod(0o755)
        found = f"{tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.work = place / "work"
        self.work.mkdir()
        self.variables = {
            "PATH": found,
            "INSTALLED": str(place / "installed"),
            "GITHUB_OUTPUT": str(place / "output"),
            "GITHUB_STEP_SUMMARY": str(place / "summary"),
        } | variables
        self.place = place

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script as ``shell: bash`` of GitHub and the runner of GitLab do."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.work,
            env=os.environ | self.variables | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def steps(
        self, steps: list[dict[str, Any]], known: Mapping[str, str], **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the steps that are scripts, up to the first that fails; return the last."""
        done = subprocess.CompletedProcess[str]([], 0, "", "")
        for step in steps:
            if "run" not in step or (done.returncode and step.get("if") != "always()"):
                continue
            given = {
                name: expand_expressions(text, known) for name, text in step.get("env", {}).items()
            }
            done = self.run(step["run"], **variables | given)
        return done

    def read_output(self, name: str) -> str:
        """Return a file that the steps wrote outside their work."""
        path = self.place / name
        return path.read_text(encoding="utf-8") if path.exists() else ""
