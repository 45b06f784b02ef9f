"""The CI templates use options that the command line has."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from conformance.frontends.cli import main

ROOT = Path(__file__).parents[3]
TEMPLATES = (".github/workflows/conformance.yml", "action.yml", "ci/gitlab.yml")


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Return each call of ``conformance`` in a template: its command, and its options."""
    joined = re.sub(r"\\\n\s*", "", text)
    calls = re.findall(r"^[^#\n]*\bconformance (run|combine|report) (.*)$", joined, re.MULTILINE)
    return [(name, re.findall(r"(?<=\s)--[a-z-]+", f" {rest}")) for name, rest in calls]


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_use_options_that_exist(name: str):
    """Every option of every call is one of that command."""
    found = commands((ROOT / name).read_text(encoding="utf-8"))
    assert found
    for command, options in found:
        there = main.get_command(click.Context(main), command)
        assert isinstance(there, click.Command)
        known = {flag for parameter in there.params for flag in parameter.opts}
        assert set(options) <= known, command
        assert {"--html", "--shard", "--format"} & set(options)


def test_an_option_that_does_not_exist_would_be_seen():
    """The options of a call over several lines are all looked at."""
    text = "  run: |\n    conformance run x --jobs 2 \\\n      --nonsense --html y || code=1\n"
    assert commands(text) == [("run", ["--jobs", "--nonsense", "--html"])]


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_keep_compiled_programs(name: str):
    """What is restored is where the suite keeps them."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert ".cache/batchnorm-conformance/xla" in text


@pytest.mark.parametrize("name", TEMPLATES[:2])
def test_inputs_reach_no_shell_as_code(name: str):
    """Inputs become variables: within a script, an expression would be run as part of it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    scripts = re.findall(r"run: \|\n((?: {8,}.*\n)+)|run: (?!\|)(.*)", text)
    assert len(scripts) >= 3
    assert not any("${{" in part for script in scripts for part in script)
