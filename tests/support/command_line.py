"""The command line, run as users do: as a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def conformance(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory, on 80 columns, with further environment variables."""
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "80"} | variables,
    )
