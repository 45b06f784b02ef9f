"""Copies of the suite's source, to be changed and run."""

from __future__ import annotations

import shutil
from pathlib import Path

import conformance


def copy_suite(folder: Path) -> Path:
    """Copy the packages into a folder, and return it."""
    source = Path(conformance.__file__).parent.parent
    unfinished = shutil.ignore_patterns("*.pyc.*")  # what another test process is writing
    for package in ("conformance", "impl"):
        shutil.copytree(source / package, folder / package, ignore=unfinished)
    return folder


def variables_of(copy: Path) -> dict[str, str]:
    """Return the environment variables with which a copy is imported."""
    return {"XDG_CACHE_HOME": str(copy / "cache"), "PYTHONPATH": str(copy)}
