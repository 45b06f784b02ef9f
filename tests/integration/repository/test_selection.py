"""What pytest selects by default and with `-m exhaustive`: together all tests, none twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.sampling import exhaustive

ROOT = Path(__file__).parents[3]


def collect(*options: str) -> list[str]:
    """Return the node ids that pytest selects with these options."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if "::" in line]


@exhaustive
def test_the_sample_and_the_rest_are_all_tests():
    """No test is lost between the two steps, and none runs in both."""
    sample, rest, everything = collect(), collect("-m", "exhaustive"), collect("-m", "")
    assert sorted([*sample, *rest]) == sorted(everything)
    assert len(set(everything)) == len(everything)
    assert rest
