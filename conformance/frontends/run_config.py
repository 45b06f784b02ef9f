"""The typed configuration of a run, from the values of the options."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.adapters.errors import printable
from conformance.engine.budget import Budget, budget, choose_seed, grace
from conformance.engine.sandbox.limits import CALL_LIMIT, GIB, Limits, fair_share
from conformance.frontends.device_check import expand_devices
from conformance.frontends.environment_check import expand_environments
from conformance.frontends.options import PYTEST, RUN_OPTIONS, OptionError, check_values
from conformance.frontends.project_settings import seen_from_here
from conformance.frontends.requirement_choice import select_requirements
from conformance.report.atomic_files import why_unwritable
from conformance.report.shards import Shard
from conformance.report.waiver_format import WaiverError, read_waivers
from conformance.report.waivers import Waiver
from conformance.requirements import Requirement
from conformance.requirements.editions import newest_edition
from conformance.requirements.verdict import Verdict, item_name

if TYPE_CHECKING:
    import pytest

    from conformance.engine.recorded import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """The resolved choices of a run.

    It is pickled for the workers of pytest-xdist, so that all processes agree on the seed and on
    the end of the run.

    Attributes:
        implementations: Their names, without repetitions.
        requirements: Those selected, in the order of the table, as the edition has them.
        edition: The name of the edition.
        budget: Which cases are generated.
        strict: A violated SHOULD fails the run.
        strict_reading: Declared deviations are ignored.
        pairs: Names of the only pairs to judge, such as ``BN-EMA-1[impl]``; None means all.
        ends: When the run should be over, in seconds since 1970; None for no limit.
        last: When it is, whatever a layer does; None for no limit.
        shard: The part of the run that ``pairs`` is; None for all of it.
        waivers: Violations that are known.
        call_timeout: Seconds that a single call may take.
        memory_limit: Bytes that an implementation may use; None for a fair share.
        in_process: Judge in pytest's process, without a sandbox.
        explain: Show why implementations without an adapter were read as they were.
        recorded: A case from a file, on which alone everything is judged; None for generated ones.
    """

    implementations: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    budget: Budget
    edition: str = field(default_factory=lambda: newest_edition().name)
    strict: bool = False
    strict_reading: bool = False
    pairs: frozenset[str] | None = None
    ends: float | None = None
    last: float | None = None
    shard: Shard | None = None
    waivers: tuple[Waiver, ...] = ()
    call_timeout: float = CALL_LIMIT
    memory_limit: int | None = None
    in_process: bool = False
    explain: bool = False
    recorded: Recorded | None = None

    @classmethod
    def from_options(
        cls,
        given: Mapping[str, Any],
        flags: Mapping[str, str],
        *,
        hypothesis: Any = None,
        hypothesis_seed: bool = False,
    ) -> RunConfig:
        """Return the configuration that the values of the options describe.

        Args:
            given: Values by the name of the option; absent ones have their defaults. With
                "shared_waivers", waivers of other implementations are left out; "waivers_from" is
                the directory that their paths are seen from.
            flags: How messages name the options: ``COMMAND_LINE`` or ``PYTEST``.
            hypothesis: The ``hypothesis.settings`` that the user loaded, if any.
            hypothesis_seed: Whether Hypothesis's option decides the seed.

        Raises:
            OptionError: A value, or a combination of values, cannot be used.
        """
        values = {option.name: option.default for option in RUN_OPTIONS} | dict(given)
        check_values(values, flags)
        _check_shard_seed(values, flags)
        _check_report(values["report"], flags)
        edition = values["edition"]
        rows = select_requirements(values["requirements"], values["level"], edition)
        names = tuple(dict.fromkeys(values["implementations"]))
        names = expand_environments(names, values["python"], flags["python"])
        names = expand_devices(names, values["devices"], flags["devices"])
        memory, seconds = values["memory_limit"], values["max_time"]
        shard, pairs = _parse_shard(values["shard"]), _read_pairs(values["pairs"], flags)
        return cls(
            implementations=names,
            requirements=rows,
            edition=edition or newest_edition().name,
            budget=_budget(values, hypothesis, hypothesis_seed=hypothesis_seed),
            strict=values["strict"],
            strict_reading=values["ignore_declarations"],
            pairs=pairs if shard is None else shard.of([row.id for row in rows], names, pairs),
            ends=None if seconds is None else time.time() + seconds,
            last=None if seconds is None else time.time() + seconds + grace(seconds),
            shard=shard,
            waivers=_waivers(values, names),
            call_timeout=values["call_timeout"],
            memory_limit=None if memory is None else round(memory * GIB),
            in_process=values["in_process"],
            explain=values["explain_recognition"],
        )

    @classmethod
    def from_pytest(cls, config: pytest.Config) -> RunConfig:
        """Return the configuration that pytest's options describe.

        With options of Hypothesis or a debugger, everything is judged in pytest's process.

        Raises:
            OptionError: As ``from_options``.
        """
        values = {option.name: config.getoption(option.pytest_flag) for option in RUN_OPTIONS}
        several = ("implementations", "requirements", "python")
        values |= {name: tuple(values[name]) for name in several}
        hypothesis = _hypothesis_settings(config)
        seeded = config.getoption("--hypothesis-seed", None) is not None
        if values["max_examples"] is None and config.getoption("--hypothesis-profile", None):
            values["max_examples"] = getattr(hypothesis, "max_examples", None)
        debugged = config.getoption("usepdb", False) or config.getoption("trace", False)
        values["in_process"] |= hypothesis is not None or seeded or debugged
        return cls.from_options(values, PYTEST, hypothesis=hypothesis, hypothesis_seed=seeded)

    def limits(self, workers: int = 0) -> Limits:
        """Return the limits of an implementation.

        Args:
            workers: How many processes judge; 0 for the number of pytest-xdist workers.
        """
        memory = self.memory_limit or fair_share(workers)
        return Limits(self.call_timeout, memory, self.last)

    def by_edition(self, verdict: Verdict) -> Verdict:
        """Return a verdict with the level that the edition gives to its requirement."""
        levels = (row.level for row in self.requirements if row.id == verdict.requirement)
        return replace(verdict, level=next(levels, verdict.level))

    def items(self, rows: Iterable[Requirement] | None = None) -> dict[str, tuple[str, str]]:
        """Return the pairs to judge, requirement and implementation, by the name of their item.

        Args:
            rows: The requirements in another order; None for that of the table.
        """
        chosen = self.requirements if rows is None else tuple(rows)
        pairs = {item_name(row.id, n): (row.id, n) for n in self.implementations for row in chosen}
        return {
            name: pair for name, pair in pairs.items() if self.pairs is None or name in self.pairs
        }


def _budget(values: Mapping[str, Any], hypothesis: Any, *, hypothesis_seed: bool) -> Budget:
    profile = values["profile"]
    return budget(
        profile,
        seed=None if hypothesis_seed else choose_seed(profile, values["seed"]),
        max_examples=values["max_examples"],
        hypothesis=hypothesis,
        minimize=not values["first_violation"],
    )


def _check_shard_seed(values: Mapping[str, Any], flags: Mapping[str, str]) -> None:
    """Refuse shards of a run with a random seed: each shard would draw a different one."""
    if values["shard"] is not None and values["profile"] == "thorough" and values["seed"] is None:
        msg = f"{flags['shard']} {values['shard']}: the thorough profile draws a seed, and every "
        msg += f"shard would draw its own. Give all shards the same {flags['seed']} N."
        raise OptionError(msg)


def _check_report(path: str | Path | None, flags: Mapping[str, str]) -> None:
    """Refuse a report that cannot be written, before anything is judged."""
    if path is not None and (reason := why_unwritable(Path(path))):
        msg = f"{flags['report']} {str(path)!r}: cannot be written: {reason}"
        raise OptionError(printable(msg))


def _parse_shard(text: str | None) -> Shard | None:
    try:
        return None if text is None else Shard.parse(text)
    except ValueError as error:
        raise OptionError(str(error)) from error


def _waivers(values: Mapping[str, Any], names: tuple[str, ...]) -> tuple[Waiver, ...]:
    """Return the waivers; those of a project are for a file, however a command spells its path."""
    found = _read_waivers(values["waivers"])
    if (directory := values.get("waivers_from")) is not None:
        spelled = {seen_from_here(name, Path.cwd()): name for name in names}
        places = [seen_from_here(waiver.implementation, directory) for waiver in found]
        found = tuple(
            replace(waiver, implementation=spelled.get(place, place))
            for waiver, place in zip(found, places, strict=True)
        )
    if values.get("shared_waivers"):
        found = tuple(waiver for waiver in found if waiver.implementation in names)
    return found


def _read_waivers(path: str | Path | None) -> tuple[Waiver, ...]:
    try:
        return () if path is None else read_waivers(Path(path))
    except WaiverError as error:
        raise OptionError(printable(str(error))) from error


def _read_pairs(path: str | Path | None, flags: Mapping[str, str]) -> frozenset[str] | None:
    if path is None:
        return None
    try:
        return frozenset(Path(path).read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        msg = f"{flags['pairs']} {path}: cannot be read: {reason}"
        raise OptionError(printable(msg)) from error


def _hypothesis_settings(config: pytest.Config) -> Any:
    """Return the settings of the Hypothesis profile or verbosity that the user asked for."""
    asked = ("--hypothesis-profile", "--hypothesis-verbosity")
    if not any(config.getoption(name, None) for name in asked):
        return None
    from hypothesis import settings  # noqa: PLC0415  its pytest plugin has loaded it already

    return settings()
