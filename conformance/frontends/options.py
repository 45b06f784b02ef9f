"""The options that pytest gets. Importing this imports pytest and nothing heavier."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

_OPTIONS: dict[str, dict[str, Any]] = {
    "--impl": {
        "action": "append",
        "default": [],
        "metavar": "IMPL",
        "help": "judge this implementation: a registered name, module:attribute or "
        "path/to/file.py:attribute; may be repeated",
    },
    "--conformance-profile": {
        "choices": ("quick", "default", "thorough"),
        "default": "default",
        "help": "how thoroughly to judge",
    },
    "--conformance-seed": {
        "type": int,
        "default": None,
        "metavar": "N",
        "help": "seed of the cases",
    },
    "--conformance-select": {
        "action": "append",
        "default": [],
        "metavar": "PATTERN",
        "help": "judge only these requirements: ids, families or globs",
    },
    "--conformance-level": {
        "choices": ("must", "should"),
        "default": None,
        "help": "judge only requirements of this level",
    },
    "--conformance-strict": {"action": "store_true", "help": "a violated SHOULD fails, too"},
    "--conformance-ignore-declarations": {
        "action": "store_true",
        "help": "judge declared deviations as violations, too",
    },
    "--conformance-report": {
        "metavar": "FILE",
        "default": None,
        "help": "write the JSON report here",
    },
    "--conformance-pairs": {
        "metavar": "FILE",
        "default": None,
        "help": "judge only the pairs named in this file, a line each, such as BN-EMA-1[impl]",
    },
    "--conformance-first-violation": {
        "action": "store_true",
        "help": "report the first counterexample found, without making it small",
    },
    "--conformance-max-time": {
        "type": float,
        "default": None,
        "metavar": "SECONDS",
        "help": "leave out cases so that the run takes about as long; the report says which",
    },
    "--conformance-shard": {
        "metavar": "I/N",
        "default": None,
        "help": "judge only this part, such as 2/3; `conformance combine` joins the reports",
    },
    "--conformance-call-timeout": {
        "type": float,
        "default": 120.0,
        "metavar": "SECONDS",
        "help": "end the process of an implementation whose call takes longer",
    },
    "--conformance-memory-limit": {
        "type": float,
        "default": None,
        "metavar": "GIB",
        "help": "end the process of an implementation that takes more memory; by default half of "
        "the machine's, shared among the workers",
    },
    "--conformance-in-process": {
        "action": "store_true",
        "help": "judge in pytest's own process: for debuggers, and for implementations you trust",
    },
    "--conformance-waivers": {
        "metavar": "FILE",
        "default": None,
        "help": "known violations, as TOML: each with a reason and an issue",
    },
}


def add_options(parser: pytest.Parser) -> None:
    """Register the options in one group."""
    group = parser.getgroup("conformance", "BatchNorm conformance suite")
    for name, described in _OPTIONS.items():
        group.addoption(name, **described)
    group.addoption("--conformance-ends", type=float, default=None, help=argparse.SUPPRESS)
    try:
        group.addoption(
            "--max-examples", type=int, default=None, metavar="N", help="cases per property"
        )
    except ValueError:  # another plugin owns the name; its value is used all the same
        return
