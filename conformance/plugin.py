"""The pytest plugin: options, and nothing else until ``--impl`` is given.

Importing this module imports neither jax nor flax, NumPy or Hypothesis.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.ledger import Ledger, Plan
    from conformance.report.shards import Shard
    from conformance.waivers import Waiver

LEDGER: pytest.StashKey[Ledger] = pytest.StashKey()
STOP = "conformance_stop"
"""Under which a worker is told the file that ends the run once it exists."""

_MARKER = (
    "requirement(id, family, level): one requirement of the BatchNorm conformance suite; "
    "select with -m 'requirement(id=\"BN-EMA-1\")'"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options in one group."""
    group = parser.getgroup("conformance", "BatchNorm conformance suite")
    group.addoption(
        "--impl",
        action="append",
        default=[],
        metavar="IMPL",
        help="judge this implementation: a registered name, module:attribute or "
        "path/to/file.py:attribute; may be repeated",
    )
    group.addoption(
        "--conformance-profile",
        choices=("quick", "default", "thorough"),
        default="default",
        help="how thoroughly to judge",
    )
    group.addoption(
        "--conformance-seed", type=int, default=None, metavar="N", help="seed of the cases"
    )
    group.addoption(
        "--conformance-select",
        action="append",
        default=[],
        metavar="PATTERN",
        help="judge only these requirements: ids, families or globs",
    )
    group.addoption(
        "--conformance-level",
        choices=("must", "should"),
        default=None,
        help="judge only requirements of this level",
    )
    group.addoption(
        "--conformance-strict", action="store_true", help="a violated SHOULD fails, too"
    )
    group.addoption(
        "--conformance-ignore-declarations",
        action="store_true",
        help="judge declared deviations as violations, too",
    )
    group.addoption(
        "--conformance-report", metavar="FILE", default=None, help="write the JSON report here"
    )
    group.addoption(
        "--conformance-pairs",
        metavar="FILE",
        default=None,
        help="judge only the pairs named in this file, a line each, such as BN-EMA-1[impl]",
    )
    group.addoption(
        "--conformance-first-violation",
        action="store_true",
        help="report the first counterexample found, without making it small",
    )
    group.addoption(
        "--conformance-max-time",
        type=float,
        default=None,
        metavar="SECONDS",
        help="leave out cases so that the run takes about as long; the report says which",
    )
    group.addoption(
        "--conformance-shard",
        metavar="I/N",
        default=None,
        help="judge only this part, such as 2/3; `conformance combine` joins the reports",
    )
    group.addoption(
        "--conformance-call-timeout",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="end the process of an implementation whose call takes longer",
    )
    group.addoption(
        "--conformance-in-process",
        action="store_true",
        help="judge in pytest's own process: for debuggers, and for implementations you trust",
    )
    group.addoption(
        "--conformance-waivers",
        metavar="FILE",
        default=None,
        help="known violations, as TOML: each with a reason and an issue",
    )
    group.addoption("--conformance-ends", type=float, default=None, help=argparse.SUPPRESS)
    try:
        group.addoption(
            "--max-examples", type=int, default=None, metavar="N", help="cases per property"
        )
    except ValueError:  # another plugin owns the name; its value is used all the same
        return


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the machinery if there is something to judge."""
    config.addinivalue_line("markers", _MARKER)
    if not config.getoption("--impl"):
        return
    from conformance.ledger import Ledger  # noqa: PLC0415  only when judging
    from conformance.session import Session  # noqa: PLC0415

    plan = _plan(config)
    stop = getattr(config, "workerinput", {}).get(STOP)
    session = Session(plan, None if stop is None else Path(stop))
    config.pluginmanager.register(session, "conformance-session")
    if not hasattr(config, "workerinput"):
        ledger = config.stash.get(LEDGER, None) or Ledger(plan)
        config.stash[LEDGER] = ledger
        config.pluginmanager.register(ledger, "conformance-ledger")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Echo what decides the verdicts."""
    ledger = config.stash.get(LEDGER, None)
    if ledger is None:
        return None
    chosen = ledger.plan.budget
    return (
        f"conformance: judging {', '.join(ledger.plan.implementations)}; {chosen.profile} profile, "
        f"{chosen.max_examples} cases per property, seed {chosen.seed}"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Refuse to collect this package when there is nothing to judge."""
    config = session.config
    named = any(arg.split(".")[0].split("::")[0] == "conformance" for arg in config.args)
    if named and config.getoption("--pyargs") and not config.getoption("--impl"):
        msg = (
            "conformance: no implementation to judge. Name one with --impl, such as --impl impl, "
            "--impl my_package.norm:MyBatchNorm or --impl ./my_norm.py:MyBatchNorm"
        )
        raise pytest.UsageError(msg)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, on the controller only."""
    ledger = session.config.stash.get(LEDGER, None)
    target = session.config.getoption("--conformance-report")
    usable = session.exitstatus != pytest.ExitCode.USAGE_ERROR  # else an old report is kept
    if ledger is not None and target and usable:
        ledger.report(int(session.exitstatus)).write(Path(target))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why workers refused an implementation."""
    ledger = terminalreporter.config.stash.get(LEDGER, None)
    if ledger is not None and ledger.refusal is not None:
        terminalreporter.write_line(f"ERROR: {ledger.refusal}", red=True)


def _plan(config: pytest.Config) -> Plan:
    from conformance.ledger import Plan  # noqa: PLC0415  only when judging
    from conformance.profiles import budget, chosen_seed  # noqa: PLC0415
    from conformance.requirements import (  # noqa: PLC0415
        REQUIREMENTS,
        Level,
        UnknownRequirement,
        select,
    )

    level = config.getoption("--conformance-level")
    profile = config.getoption("--conformance-profile")
    try:
        rows = select(
            REQUIREMENTS,
            config.getoption("--conformance-select"),
            Level(level) if level else None,
        )
    except UnknownRequirement as error:
        raise pytest.UsageError(str(error)) from error
    _refuse_random_shards(config)
    seed = chosen_seed(profile, config.getoption("--conformance-seed"))
    config.option.conformance_seed = seed  # workers must draw what the controller reports
    examples = config.getoption("--max-examples", None)
    if examples is not None and examples < 1:
        msg = f"--max-examples={examples} must be at least 1: with no case nothing is judged"
        raise pytest.UsageError(msg)
    hypothesis = _hypothesis_settings(config)
    if examples is None and config.getoption("--hypothesis-profile", None):
        examples = getattr(hypothesis, "max_examples", None)
    names = tuple(dict.fromkeys(config.getoption("--impl")))
    shard = _shard(config)
    pairs = _pairs(config.getoption("--conformance-pairs"))
    return Plan(
        implementations=names,
        requirements=rows,
        budget=budget(
            profile,
            seed=None if config.getoption("--hypothesis-seed", None) is not None else seed,
            max_examples=examples,
            hypothesis=hypothesis,
            minimize=not config.getoption("--conformance-first-violation"),
        ),
        pairs=pairs if shard is None else shard.of([row.id for row in rows], names, pairs),
        strict=config.getoption("--conformance-strict"),
        strict_reading=config.getoption("--conformance-ignore-declarations"),
        ends=_ends(config),
        shard=shard,
        waivers=_waivers(config),
        call_limit=_call_limit(config, hypothesis),
    )


def _waivers(config: pytest.Config) -> tuple[Waiver, ...]:
    path = config.getoption("--conformance-waivers")
    if path is None:
        return ()
    from conformance.waivers import WaiverError, read_waivers  # noqa: PLC0415  only if named

    try:
        return read_waivers(Path(path))
    except WaiverError as error:
        raise pytest.UsageError(str(error)) from error


def _call_limit(config: pytest.Config, hypothesis: object) -> float | None:
    """Return how long a call may take; None if what was asked for needs this process."""
    seconds = float(config.getoption("--conformance-call-timeout"))
    if not 0 < seconds < float("inf"):
        msg = f"--conformance-call-timeout={seconds:g} must be a number of seconds, more than 0"
        raise pytest.UsageError(msg)
    needs_this = hypothesis is not None or config.getoption("--hypothesis-seed", None) is not None
    debugged = config.getoption("usepdb", False) or config.getoption("trace", False)
    asked = config.getoption("--conformance-in-process")
    return None if needs_this or debugged or asked else seconds


def _ends(config: pytest.Config) -> float | None:
    """Return when the run should be over; the controller decides it, and workers are told."""
    seconds = config.getoption("--conformance-max-time")
    if seconds is None:
        return None
    if not seconds > 0:
        msg = f"--conformance-max-time={seconds:g} must be more than 0 seconds"
        raise pytest.UsageError(msg)
    if config.option.conformance_ends is None:
        config.option.conformance_ends = time.time() + seconds
    return float(config.option.conformance_ends)


def _shard(config: pytest.Config) -> Shard | None:
    """Return the part of the run that is wanted, or None for all of it."""
    from conformance.report.shards import Shard  # noqa: PLC0415  only when judging

    text = config.getoption("--conformance-shard")
    try:
        return Shard.parse(text) if text is not None else None
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def _refuse_random_shards(config: pytest.Config) -> None:
    """Refuse parts of a run whose seed is drawn: each part would draw another one."""
    text = config.getoption("--conformance-shard")
    drawn = config.getoption("--conformance-profile") == "thorough"
    if text is not None and drawn and config.getoption("--conformance-seed") is None:
        msg = (
            f"--conformance-shard {text}: the thorough profile draws a seed, and every shard "
            "would draw its own. Give all shards the same --conformance-seed N"
        )
        raise pytest.UsageError(msg)


def _pairs(file: str | None) -> frozenset[str] | None:
    """Return the names of the only items wanted, or None for all."""
    if file is None:
        return None
    try:
        return frozenset(Path(file).read_text(encoding="utf-8").splitlines())
    except OSError as error:
        msg = f"--conformance-pairs {file}: cannot be read: {error.strerror}"
        raise pytest.UsageError(msg) from error


def _hypothesis_settings(config: pytest.Config) -> object:
    """Return the settings of a Hypothesis profile or verbosity that the user asked for."""
    asked = ("--hypothesis-profile", "--hypothesis-verbosity")
    if not any(config.getoption(name, None) for name in asked):
        return None
    from hypothesis import settings  # noqa: PLC0415  loaded by its own plugin already

    return settings()
