"""Run as a script by the interpreter of another environment: makes the suite importable there.

Only the suite's own packages are added to that environment, not the packages installed beside
it. Its registered names are added, too, so that they mean there what they mean here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from runpy import run_module
from typing import Any


class SuiteFinder:
    """Finds the packages and the metadata of this suite, wherever it is installed.

    Args:
        root: The folder of the packages.
        packages: The packages to find.
        metadata: The folder of the metadata; empty for none.
    """

    def __init__(self, root: str, packages: tuple[str, ...], metadata: str = "") -> None:
        self._root, self._packages, self._metadata = root, packages, metadata

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return where a package is."""
        del path, target
        return PathFinder.find_spec(name, [self._root]) if name in self._packages else None

    def find_distributions(self, context: Any) -> Iterator[Distribution]:
        """Return the metadata, if it is asked for."""
        if self._metadata and context.name in {None, "batchnorm-conformance"}:
            yield PathDistribution(Path(self._metadata))

    def invalidate_caches(self) -> None:
        """Do nothing: nothing is cached."""


def main(root: str, metadata: str, heartbeat: str) -> None:
    """Become a worker.

    Args:
        root: The folder of the packages.
        metadata: The folder of the metadata; empty for none.
        heartbeat: The descriptor of the file by which the worker reports progress.
    """
    finders: list[Any] = sys.meta_path
    finders.insert(0, SuiteFinder(root, ("conformance",), metadata))
    finders.append(SuiteFinder(root, ("impl",)))  # last: a layer's own package may have this name
    sys.argv[1:] = [heartbeat]
    run_module("conformance.engine.sandbox", None, "__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
