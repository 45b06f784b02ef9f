"""From pytest's options to what is to be judged, and how; what makes no sense is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from conformance.adapters.errors import printable
from conformance.engine.budget import Budget, budget, chosen_seed
from conformance.engine.sandbox.limits import GIB, LEAST_MEMORY, Limits
from conformance.frontends.pytest_plugin.collector import Plan
from conformance.report.atomic_files import unwritable
from conformance.report.shards import Shard
from conformance.report.waivers import Waiver, WaiverError, read_waivers
from conformance.requirements import (
    REQUIREMENTS,
    Level,
    Requirement,
    UnknownRequirement,
    select,
)


def plan_of(config: pytest.Config) -> Plan:
    """Return the resolved choices of a run.

    Raises:
        pytest.UsageError: an option makes no sense; the message names it and the rule.
    """
    _refuse_random_shards(config)
    _refuse_lost_reports(config)
    rows = _requirements(config)
    names = tuple(dict.fromkeys(config.getoption("--impl")))
    hypothesis = _hypothesis_settings(config)
    shard, pairs = _shard(config), _pairs(config.getoption("--conformance-pairs"))
    return Plan(
        implementations=names,
        requirements=rows,
        budget=_budget(config, hypothesis),
        pairs=pairs if shard is None else shard.of([row.id for row in rows], names, pairs),
        strict=config.getoption("--conformance-strict"),
        strict_reading=config.getoption("--conformance-ignore-declarations"),
        ends=_ends(config),
        shard=shard,
        waivers=_waivers(config),
        limits=_limits(config, hypothesis),
    )


def _requirements(config: pytest.Config) -> tuple[Requirement, ...]:
    patterns = config.getoption("--conformance-select")
    level = config.getoption("--conformance-level")
    try:
        return tuple(select(REQUIREMENTS, patterns, Level(level) if level else None))
    except UnknownRequirement as error:
        raise pytest.UsageError(str(error)) from error


def _budget(config: pytest.Config, hypothesis: object) -> Budget:
    profile = config.getoption("--conformance-profile")
    seed = config.getoption("--conformance-seed")
    examples = config.getoption("--max-examples", None)
    if seed is not None and seed < 0:
        msg = f"--conformance-seed={seed} must be at least 0"
        raise pytest.UsageError(msg)
    if examples is not None and examples < 1:
        msg = f"--max-examples={examples} must be at least 1: with no case nothing is judged"
        raise pytest.UsageError(msg)
    seed = chosen_seed(profile, seed)
    config.option.conformance_seed = seed  # workers must draw what the controller reports
    if examples is None and config.getoption("--hypothesis-profile", None):
        examples = getattr(hypothesis, "max_examples", None)
    return budget(
        profile,
        seed=None if config.getoption("--hypothesis-seed", None) is not None else seed,
        max_examples=examples,
        hypothesis=hypothesis,
        minimize=not config.getoption("--conformance-first-violation"),
    )


def _refuse_lost_reports(config: pytest.Config) -> None:
    """Refuse a report that cannot be written, before anything is judged."""
    target = config.getoption("--conformance-report")
    reason = unwritable(Path(target)) if target else ""
    if reason:
        msg = f"--conformance-report={target} cannot be written: {reason}. Name another file"
        raise pytest.UsageError(printable(msg))


def _waivers(config: pytest.Config) -> tuple[Waiver, ...]:
    path = config.getoption("--conformance-waivers")
    if path is None:
        return ()
    try:
        return read_waivers(Path(path))
    except WaiverError as error:
        raise pytest.UsageError(str(error)) from error


def _limits(config: pytest.Config, hypothesis: object) -> Limits | None:
    """Return what an implementation may take; None if what was asked for needs this process."""
    seconds = float(config.getoption("--conformance-call-timeout"))
    if not 0 < seconds < float("inf"):
        msg = f"--conformance-call-timeout={seconds:g} must be a number of seconds, more than 0"
        raise pytest.UsageError(msg)
    memory = config.getoption("--conformance-memory-limit")
    if memory is not None and not LEAST_MEMORY <= memory < float("inf"):
        msg = f"--conformance-memory-limit={memory:g} must be a number of GiB, at least "
        msg += f"{LEAST_MEMORY:g}: a correct layer needs a part of that to be compiled"
        raise pytest.UsageError(msg)
    needs_this = hypothesis is not None or config.getoption("--hypothesis-seed", None) is not None
    debugged = config.getoption("usepdb", False) or config.getoption("trace", False)
    if needs_this or debugged or config.getoption("--conformance-in-process"):
        return None
    return Limits(seconds) if memory is None else Limits(seconds, round(memory * GIB))


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
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        msg = f"--conformance-pairs {file}: cannot be read: {reason}"
        raise pytest.UsageError(printable(msg)) from error


def _hypothesis_settings(config: pytest.Config) -> object:
    """Return the settings of a Hypothesis profile or verbosity that the user asked for."""
    asked = ("--hypothesis-profile", "--hypothesis-verbosity")
    if not any(config.getoption(name, None) for name in asked):
        return None
    from hypothesis import settings  # noqa: PLC0415  loaded by its own plugin already

    return settings()
