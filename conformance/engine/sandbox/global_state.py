"""Which process-wide state an implementation has changed, by name.

The state of ``random`` and ``numpy.random`` is missing, because Hypothesis saves
and restores both around every case.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any

_MODULES = ("jax", "jax.numpy", "jax.lax", "jax.nn", "numpy", "flax.nnx")
_SIGNALS = ("SIGINT", "SIGTERM", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGSEGV")


def _state() -> dict[str, Any]:
    found: dict[str, Any] = {
        "the working directory": _here(),
        "the filters of warnings": list(warnings.filters),
        "sys.stdout": _stream(sys.stdout),
        "sys.stderr": _stream(sys.stderr),
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


def _stream(stream: Any) -> tuple[int, Any]:
    return id(stream), getattr(stream, "closed", None)


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109  as text
    except OSError as error:
        return f"lost: {error.strerror}"


class Footprint:
    """Remembers process-wide state; ``changed`` tells what differs since it was asked last."""

    def __init__(self) -> None:
        self._state = _state()
        self._members = {name: self._held(name) for name in _MODULES if name in sys.modules}

    @staticmethod
    def _held(module: str) -> dict[str, Any]:
        return {n: v for n, v in vars(sys.modules[module]).items() if callable(v)}

    def changed(self) -> list[str]:
        """Return the names of what changed, and remember the state as it is now."""
        now = _state()
        names = [
            name
            for name in {**self._state, **now}
            if not _same(self._state.get(name), now.get(name))
        ]
        for module, before in self._members.items():
            held = self._held(module)
            names += [f"{module}.{n}" for n, v in before.items() if held.get(n) is not v]
            self._members[module] = {n: held.get(n) for n in before}
        self._state = now
        return names


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one is other or one == other)
    except Exception:  # noqa: BLE001  a value that cannot be compared is another one
        return False
