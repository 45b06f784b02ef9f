"""A request to the service: one JSON object, whose keys are the options of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from conformance.frontends.option_values import describe_wrong_value
from conformance.frontends.options import RUN_OPTIONS, OptionError, RunOption
from conformance.frontends.run_config import RunConfig

_EXCLUDED = frozenset({"implementations", "report", "shard", "pairs", "in_process", "waivers"})
"""Options of a run that a request does not have: they name files, or parts of a run."""

_OPTIONS = {option.name: option for option in RUN_OPTIONS if option.name not in _EXCLUDED}
_OWN = ("diagnose", "grade", "hide_inputs")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        run: What to judge, and how.
        diagnose: Whether to look for the mistake.
        grade: Answer with the grade instead of the report.
        hides_inputs: Leave out of the grade what depends on the cases of the suite.
    """

    run: RunConfig
    diagnose: bool
    grade: bool
    hides_inputs: bool


def read_request(line: bytes) -> Request:
    """Return the request that a line of JSON is.

    Raises:
        OptionError: It cannot be used; the message names the key, the value and the rule.
    """
    try:
        given = json.loads(line)
    except ValueError as error:
        msg = f"a request is one line of JSON: {error}"
        raise OptionError(msg) from error
    if not isinstance(given, dict) or not isinstance(given.get("implementation"), str):
        msg = 'a request is an object with the key "implementation", a string'
        raise OptionError(msg)
    name = given.pop("implementation")
    for key, value in given.items():
        _check(key, value)
    own = {key: bool(given.pop(key, key == "diagnose")) for key in _OWN}
    values = {
        key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
    }
    run = RunConfig.from_options(
        values | {"implementations": (name,), "first_violation": own["grade"]},
        {option.name: option.name for option in RUN_OPTIONS},
    )
    return Request(run, own["diagnose"], own["grade"], own["hide_inputs"])


def _check(key: str, value: Any) -> None:
    """Refuse a key that does not exist, and a value that its option cannot have."""
    option = _OPTIONS.get(key)
    if option is None and key not in _OWN:
        known = ", ".join(sorted((*_OPTIONS, *_OWN)))
        msg = f"{key!r}: a request has no such key. There are: {known}"
        raise OptionError(msg)
    if wrong := describe_wrong_value(option or RunOption(name=key, help="", type=bool), value):
        msg = f"{key} {wrong}"
        raise OptionError(msg)
