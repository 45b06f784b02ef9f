"""Devices: how a user names them, which there are, and on which one a process judges.

A name of an implementation may end with one, as in ``impl@gpu`` or ``norm.py:Norm@cpu:1``; without
one it is judged on the default device of JAX. Imports JAX only where a device is looked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from conformance.adapters.errors import AdapterError
from conformance.adapters.protocols import COMMAND
from conformance.engine.jax_runtime import offer_host_devices

_DEVICE = re.compile(r"[a-z]+(:[0-9]{1,6})?")
_LONGEST_NAME = 80


def is_device(text: str) -> bool:
    """Return whether a text can name a device, such as ``gpu`` or ``cpu:1``."""
    return _DEVICE.fullmatch(text) is not None


def split_device(name: str) -> tuple[str, str]:
    """Return an implementation as it is resolved, and its device; empty for the default one."""
    implementation, _, device = name.rpartition("@")
    if not implementation or not is_device(device) or is_command(name):
        return name, ""
    return implementation, device


def is_command(name: str) -> bool:
    """Return whether a name is a command, which may contain anything and uses no device of JAX."""
    return name.startswith(COMMAND)


def parse_devices(text: str) -> tuple[str, ...]:
    """Return the devices of a list such as ``cpu,gpu:1``."""
    return tuple(part.strip() for part in text.split(","))


def explain_missing(device: str, found: list[str]) -> str:
    """Return that there is no such device, and which there are."""
    return f"there is no device {device!r}; JAX has {', '.join(found) or 'none'}"


def _present() -> list[str]:
    """Return the names of all devices, those of JAX's default platform first."""
    return list(dict.fromkeys(name for name, _ in _named()))


def _named() -> Iterator[tuple[str, Any]]:
    import jax  # noqa: PLC0415  imported by the implementation's process only

    for platform in dict.fromkeys((jax.default_backend(), "gpu", "tpu", "cpu")):
        try:
            devices = jax.devices(platform)
        except RuntimeError:
            continue
        yield from ((f"{platform}:{at}", each) for at, each in enumerate(devices))


def _find(device: str) -> Any:
    """Return a device; None for an empty name.

    Raises:
        AdapterError: There is none of this name; the message lists those there are.
    """
    import jax  # noqa: PLC0415

    if not device:
        return None
    platform, _, index = device.partition(":")
    try:
        return jax.devices(platform)[int(index or 0)]
    except (RuntimeError, IndexError) as error:
        raise AdapterError(f"{explain_missing(device, _present())}.") from error


def use_device(device: str) -> str:
    """Let all that this process does happen on a device, and return its name.

    Raises:
        AdapterError: There is no such device.
    """
    import jax  # noqa: PLC0415

    if device:
        jax.config.update("jax_default_device", _find(device))
    return describe_device(device)


@contextmanager
def using_device(device: str) -> Iterator[None]:
    """Let what happens inside the block happen on a device; on the default one if it has no name.

    Raises:
        AdapterError: There is no such device.
    """
    import jax  # noqa: PLC0415

    with jax.default_device(_find(device)) if device else nullcontext():
        yield


def describe_device(device: str) -> str:
    """Return what a device calls itself, such as ``NVIDIA H200``; of the default one if unnamed."""
    import jax  # noqa: PLC0415

    used = _find(device) or next(iter(jax.device_put(0.0).devices()))
    kind = str(used.device_kind)[:_LONGEST_NAME]
    if ":" not in device:
        return kind
    return device if device.partition(":")[0] == kind else f"{kind} ({device})"


if __name__ == "__main__":
    offer_host_devices()
    print(json.dumps(_present()))
