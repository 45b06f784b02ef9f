"""Options of a run: declared once, and refused alike by the command line and by pytest."""

from __future__ import annotations

import argparse
import pickle
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from conformance.frontends.cli import COMMANDS, SECTIONS, main
from conformance.frontends.options import COMMAND_LINE, PYTEST, RUN_OPTIONS, OptionError
from conformance.frontends.pytest_plugin import pytest_addoption
from conformance.frontends.run_config import RunConfig

REFUSED = [
    ("requirements", ("NOPE",), "no requirement matches 'NOPE': expected an id such as "),
    ("requirements", (" ",), "the filter ' ' is empty"),
    ("max_examples", 0, "{flag} 0: expected at least 1: without a case nothing is judged"),
    ("seed", -1, "{flag} -1: expected an integer of at least 0"),
    ("max_time", float("inf"), "{flag} inf: expected a number of seconds greater than 0"),
    ("max_time", 0.0, "{flag} 0.0: expected a number of seconds greater than 0"),
    ("call_timeout", 86401.0, "{flag} 86401.0: expected a number of seconds greater than 0 "),
    ("memory_limit", float("nan"), "{flag} nan: expected a number of GiB between 2 and 1000000"),
    ("edition", "1999.1", "{flag} 1999.1: this version of the suite does not have it. There are: "),
    ("shard", "3/2", "shard '3/2': expected i/n with 1 ≤ i ≤ n"),
    ("waivers", Path("none.toml"), "none.toml is not a waiver file"),
    ("report", Path("/"), "{flag} '/': cannot be written: it is a directory"),
]


@pytest.mark.parametrize("flags", [COMMAND_LINE, PYTEST], ids=["command line", "pytest"])
@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_both_refuse_alike(name: str, value: Any, message: str, flags: dict[str, str]):
    """A value that breaks its rule is refused in the same words, by the name of its option."""
    with pytest.raises(OptionError) as refused:
        RunConfig.from_options({"implementations": ("impl",), name: value}, flags)

    assert str(refused.value).startswith(message.format(flag=flags[name]))


@pytest.mark.parametrize("flags", [COMMAND_LINE, PYTEST], ids=["command line", "pytest"])
def test_shards_of_a_random_run_need_a_seed(flags: dict[str, str]):
    """Each shard would draw its own seed; with a given one they fit together."""
    given = {"implementations": ("impl",), "profile": "thorough", "shard": "1/2"}
    with pytest.raises(OptionError, match=f"Give all shards the same {flags['seed']} N"):
        RunConfig.from_options(given, flags)

    assert RunConfig.from_options(given | {"seed": 3}, flags).budget.seed == 3


def test_every_option_of_the_command_line_is_one_of_pytest():
    """What ``conformance run`` offers for a run, pytest offers, too."""
    run = main.get_command(click.Context(main), "run")
    assert run is not None
    flags = {flag for parameter in run.params for flag in parameter.opts}

    assert {flag for option in RUN_OPTIONS for flag in option.flags} <= flags
    assert len(set(PYTEST.values())) == len(RUN_OPTIONS)


def test_workers_are_given_the_same_run():
    """A configuration survives being pickled: the drawn seed and the end of the run are in it."""
    given = {"implementations": ("impl", "flax", "impl"), "profile": "thorough", "max_time": 60.0}
    run = RunConfig.from_options(given | {"requirements": ("EMA",)}, COMMAND_LINE)

    assert pickle.loads(pickle.dumps(run)) == run
    assert run.implementations == ("impl", "flax")
    assert len(run.items()) == 2 * len(run.requirements)
    assert run.ends is not None
    assert run.budget.seed is not None


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name: str):
    """Each command is found where the table says, and its help fits a terminal."""
    done = CliRunner().invoke(main, [name, "--help"], env={"COLUMNS": "80"}, terminal_width=80)

    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: main {name}")
    assert max(map(len, done.output.splitlines())) <= 80


def test_help_of_pytest_leaves_out_what_the_suite_alone_uses():
    """Every option is accepted by pytest; the hidden ones, and no others, have no line of help."""
    lines: dict[str, str] = {}
    group = SimpleNamespace(addoption=lambda flag, **given: lines.update({flag: given["help"]}))
    pytest_addoption(SimpleNamespace(getgroup=lambda *_: group))

    hidden = {flag for flag, line in lines.items() if line == argparse.SUPPRESS}
    assert set(lines) == set(PYTEST.values())
    assert hidden == {"--conformance-pairs", "--conformance-first-violation"}


def test_help_begins_with_what_newcomers_need():
    """Commands are shown in sections, and every command in one of them."""
    shown = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    titles = [shown.index(f"\n{title}:\n") for title in SECTIONS]

    assert titles == sorted(titles)
    assert next(iter(SECTIONS["Commands"])) == "run"
    assert sum(map(len, SECTIONS.values())) == len(COMMANDS)


def test_the_page_of_usage_has_the_commands_of_help():
    """In the same order."""
    page = (Path(__file__).parents[3] / "docs" / "usage.md").read_text("utf-8")
    table = page.partition("| command |")[2].partition("\n\n")[0]
    named = [
        name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])
    ]

    assert named == [name for section in SECTIONS.values() for name in section]


def test_help_lists_every_command():
    """``--help`` shows each command with its whole line."""
    done = CliRunner().invoke(main, ["--help"], terminal_width=80)

    for name, (_, line) in COMMANDS.items():
        assert f"  {name:<15}  {line}\n" in done.output
