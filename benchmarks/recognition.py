"""Measures how long recognition takes: ``python benchmarks/recognition.py [FILE:CLASS ...]``.

Each class is recognized in a process of its own, after one that fills the cache of compiled
programs. The time is that of recognition alone, without starting Python and importing frameworks.
Without arguments, the classes are those on which the unit tests try recognition.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LIMIT = 2.0
"""The most seconds that a warm recognition may take."""

LAYERS = Path(__file__).parent.parent / "tests" / "support" / "published_layers.py"

_MEASURED = """
import sys, time
from conformance.engine.jax_runtime import remember_compilations
remember_compilations()
from conformance.adapters.errors import AdapterError
from conformance.adapters.recognition import recognize
from conformance.adapters.resolve import load
import jax.numpy as jnp
jnp.ones(3).block_until_ready()
found = load(sys.argv[1])
start = time.perf_counter()
try:
    recognize(sys.argv[1], found)
except AdapterError:
    pass
print(time.perf_counter() - start)
"""


def measure(name: str) -> float:
    """Return the seconds that the recognition of an object takes, the second time."""
    command = [sys.executable, "-c", _MEASURED, name]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the seconds of each class, the slowest first, and whether all are within the limit."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    text = LAYERS.read_text(encoding="utf-8")
    names = [line.split()[1].partition("(")[0].rstrip(":") for line in text.splitlines()
             if line.startswith("class ")]  # fmt: skip
    places = sys.argv[1:] or [f"{LAYERS}:{name}" for name in names if name != "Rows"]
    seconds = {place.rpartition("/")[2]: round(measure(place), 2) for place in places}
    slowest = dict(sorted(seconds.items(), key=lambda item: -item[1]))
    print(json.dumps(slowest, indent=1))
    print(f"slowest {max(seconds.values())} s, limit {LIMIT} s")
    sys.exit(max(seconds.values()) > LIMIT)


if __name__ == "__main__":
    main()
