"""Whether the devices that a user names are there, which only a process with JAX knows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from conformance.adapters.errors import printable
from conformance.engine.devices import explain_missing, parse_devices, split_device
from conformance.engine.sandbox.confinement import command_of
from conformance.frontends.options import OptionError

_PATIENCE = 120.0
"""Seconds that JAX may take to start."""


def expand_devices(names: tuple[str, ...], listed: str | None, flag: str) -> tuple[str, ...]:
    """Return the name of each implementation on each device that was asked for.

    Args:
        names: The implementations.
        listed: The value of the option, such as ``cpu,gpu``; None for the default device.
        flag: How messages name the option.

    Raises:
        OptionError: There is no such device, or an implementation names one already.
    """
    if listed is None:
        return names
    devices = parse_devices(listed)
    named = [name for name in names if split_device(name)[1]]
    problem = f"{named[0]} names a device already" if named else _find_missing(devices)
    if problem:
        msg = f"{flag} {listed}: {problem}"
        raise OptionError(printable(msg))
    return tuple(f"{name}@{device}" for name in names for device in devices)


def _find_missing(devices: Sequence[str]) -> str:
    """Return which device there is not, and which there are; empty if all are there."""
    found = _list_devices()
    there = {*found, *(each.partition(":")[0] for each in found)}
    missing = [device for device in devices if device not in there]
    return explain_missing(missing[0], found) if missing else ""


def _list_devices() -> list[str]:
    """Return the devices of a process that judges; none if JAX does not start."""
    done = subprocess.run(  # noqa: S603  this suite
        command_of("conformance.engine.devices"),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    found: list[str] = json.loads(done.stdout or "[]")
    return found
