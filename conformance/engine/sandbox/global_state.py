"""Which process-wide state an implementation has changed, by name.

The state of ``random`` and ``numpy.random`` is not included: Hypothesis saves and restores
both around every case.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any

_MODULES = ("jax", "jax.numpy", "jax.lax", "jax.nn", "numpy", "flax.nnx")
_SIGNALS = ("SIGINT", "SIGTERM", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGSEGV")


def _read_state() -> dict[str, Any]:
    found: dict[str, Any] = {
        "the working directory": _working_directory(),
        "the filters of warnings": list(warnings.filters),
        "sys.stdout": _identity_of_stream(sys.stdout),
        "sys.stderr": _identity_of_stream(sys.stderr),
        "the recursion limit": sys.getrecursionlimit(),
    }
    found |= {f"os.environ[{name!r}]": value for name, value in os.environ.items()}
    for name in _SIGNALS:
        if number := getattr(signal, name, None):
            found[f"the handler of {name}"] = signal.getsignal(number)
    if "jax" in sys.modules:
        values = sys.modules["jax"].config.values
        found |= {f"jax.config.{name}": value for name, value in values.items()}
    return found


def _identity_of_stream(stream: Any) -> tuple[int, Any]:
    return id(stream), getattr(stream, "closed", None)


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109  as text
    except OSError as error:
        return f"lost: {error.strerror}"


class GlobalStateSnapshot:
    """A snapshot of process-wide state, taken on construction and again by each comparison."""

    def __init__(self) -> None:
        self._state = _read_state()
        self._members = {name: _callables(name) for name in _MODULES if name in sys.modules}

    def restore_filters(self) -> None:
        """Put back the filters of warnings: each requirement starts with the same ones."""
        warnings.resetwarnings()
        filters: Any = warnings.filters
        filters.extend(self._state["the filters of warnings"])

    def take_changes(self) -> list[str]:
        """Return the names of what has changed, and take a new snapshot."""
        now = _read_state()
        names = [
            name
            for name in {**self._state, **now}
            if not _equal(self._state.get(name), now.get(name))
        ]
        for module, before in self._members.items():
            after = _callables(module)
            names += [f"{module}.{n}" for n, v in before.items() if after.get(n) is not v]
            self._members[module] = {n: after.get(n) for n in before}
        self._state = now
        return names


def _callables(module: str) -> dict[str, Any]:
    return {name: value for name, value in vars(sys.modules[module]).items() if callable(value)}


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one is other or one == other)
    except Exception:  # noqa: BLE001  a value that cannot be compared counts as changed
        return False
