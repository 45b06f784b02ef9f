"""Settings of a project: ``conformance.toml``, or ``[tool.conformance]`` in ``pyproject.toml``."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conformance.frontends.option_values import describe_wrong_value
from conformance.frontends.options import RUN_OPTIONS, OptionError, check_values

OWN_FILE, PROJECT_FILE = "conformance.toml", "pyproject.toml"

_KEYS = (
    *("implementations", "requirements", "level", "edition", "profile", "max_examples", "seed"),
    *("max_time", "strict", "ignore_declarations", "waivers", "call_timeout", "memory_limit"),
    "devices",
)
SETTINGS = {option.name: option for option in RUN_OPTIONS if option.name in _KEYS}
"""The options of a run that a project can set, by their keys."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project sets.

    Attributes:
        file: The file; None without one.
        values: Values by the names of their options; paths as seen from the working directory.
    """

    file: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The file, and the table if it has several; empty without one."""
        table = " [tool.conformance]" * (self.file is not None and self.file.name == PROJECT_FILE)
        return f"{self.file or ''}{table}"


def read_settings(start: Path | None = None) -> Settings:
    """Return the settings in the nearest directory, from ``start`` upwards, that has any.

    Args:
        start: Where to begin; None for the working directory.

    Raises:
        OptionError: A file cannot be read, there are two, or a key or a value cannot be used.
    """
    here = Path.cwd() if start is None else start
    for directory in (here, *here.parents):
        own, project = directory / OWN_FILE, directory / PROJECT_FILE
        table = _load(project).get("tool", {}).get("conformance") if project.is_file() else None
        if own.is_file() and table is not None:
            msg = f"{own} and [tool.conformance] in {project} both have settings. Keep one of them."
            raise OptionError(msg)
        if own.is_file():
            return _checked(Settings(own), _load(own))
        if table is not None:
            return _checked(Settings(project), table)
    return Settings()


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read: {error}. Fix it, or pass --no-config."
        raise OptionError(msg) from error


def _checked(found: Settings, table: Any) -> Settings:
    """Return the settings with the values of a table, after a look at each."""
    assert found.file is not None, "the table is from a file"  # noqa: S101
    source, directory = found.source, found.file.parent
    if not isinstance(table, dict):
        msg = f"{source}: expected a table, found {table!r:.40}"
        raise OptionError(msg)
    for key, value in table.items():
        if key not in SETTINGS:
            near = difflib.get_close_matches(key.replace("-", "_"), SETTINGS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            msg = f"{source}: {key!r} is not a setting.{hint} There are: {', '.join(SETTINGS)}."
            raise OptionError(msg)
        wrong = describe_wrong_value(SETTINGS[key], value)
        if wrong or (SETTINGS[key].multiple and not isinstance(value, list)):
            msg = f"{source}: {key} = {wrong or f'{value!r}: expected a list of strings'}"
            raise OptionError(msg)
    values: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in table.items()
    }
    check_values(values, {key: f"{source}: {key} =" for key in SETTINGS})
    if "waivers" in values:
        values["waivers"] = os.path.relpath(directory / values["waivers"])
    if "implementations" in values:
        names = values["implementations"]
        values["implementations"] = tuple(seen_from_here(name, directory) for name in names)
    return replace(found, values=values)


def seen_from_here(name: str, directory: Path) -> str:
    """Return a name of an implementation whose file is found from the working directory.

    Args:
        name: The name, whose file is seen from the directory.
        directory: The directory.
    """
    place, colon, rest = name.partition(".py:")
    return f"{os.path.relpath(directory / place)}{colon}{rest}" if colon else name
