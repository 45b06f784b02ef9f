"""The environments that a user names, which are made or refused before anything is judged."""

from __future__ import annotations

import shutil
import sys

from conformance.adapters.errors import AdapterError, printable
from conformance.engine.devices import is_command
from conformance.engine.environments import check_frameworks, find_interpreter, split_place
from conformance.frontends.options import OptionError


def expand_environments(
    names: tuple[str, ...], pythons: tuple[str, ...], flag: str
) -> tuple[str, ...]:
    """Return the name of each implementation in each environment that was asked for.

    Args:
        names: The implementations.
        pythons: The values of the option: folders of virtual environments, or interpreters.
        flag: How messages name the option.

    Raises:
        OptionError: There is no such environment, or an implementation has one already.
    """
    found = tuple(_name_in(name, each, flag) for name in names for each in pythons) or names
    for name in found:
        place = split_place(name)
        if not place.environment:
            continue
        try:
            find_interpreter(place, _announce)
            check_frameworks(place)
        except AdapterError as error:
            raise OptionError(printable(f"{name}: {error}")) from error
    return found


def _name_in(name: str, python: str, flag: str) -> str:
    place = split_place(name)
    if place.environment or is_command(name):
        what = "is a command" if is_command(name) else "has an environment already"
        raise OptionError(printable(f"{flag} {python}: {name} {what}"))
    path = python if "/" in python else shutil.which(python) or f"./{python}"
    if ":" in path:
        raise OptionError(printable(f"{flag} {python}: a path with a colon cannot be named"))
    device = f"@{place.device}" if place.device else ""
    return f"{place.implementation}@{path}{device}"


def _announce(requirements: str) -> None:
    print(f"Making an environment with {requirements} ...", file=sys.stderr, flush=True)
