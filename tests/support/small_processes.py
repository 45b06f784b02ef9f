"""Runs code in a process that must stay small and import nothing of what is judged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

MAX_RESIDENT = 150 * 10**6
"""Bytes that a process that judges or diagnoses may need; one that imports JAX has 250 MB."""

FOREIGN = {"jax", "jaxlib", "flax", "optax", "orbax", "chex", "impl"}
"""What is never imported where verdicts or diagnoses are reached."""

_DESCRIBE = """
import json, sys
from pathlib import Path
print(json.dumps([
    sorted({name.partition(".")[0] for name in sys.modules}),
    Path("/proc/self/status").read_text(),
]))
"""


def run_small(code: str, *arguments: str) -> Any:
    """Run code in a new process, and check that it stays small and imports nothing foreign.

    Args:
        code: Prints one line of JSON.
        *arguments: The arguments of the process.

    Returns:
        The value of that line.
    """
    done = subprocess.run(
        [sys.executable, "-c", code + _DESCRIBE, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    said, (modules, status) = map(json.loads, done.stdout.splitlines())
    assert not FOREIGN & set(modules)
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)  # ru_maxrss counts that of the parent
    assert 1024 * int(peak[1]) < MAX_RESIDENT
    return said
