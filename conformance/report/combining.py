"""Combining the reports of shards into the report of the whole run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from conformance.report.exit_codes import ExitCode, exit_code_of
from conformance.report.model import Footer, Header, Report, sort_verdicts
from conformance.report.shards import Shard
from conformance.report.text import format_list
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Verdict


class ShardError(Exception):
    """Reports are not the shards of one run; the message names files, rule and next step."""


_TIMES = ("started", "workers", "shard")
"""Fields of the header in which shards may differ."""


def combine(named: Sequence[tuple[str, Report]]) -> Report:
    """Return the report of the whole run, which differs from a single run in times and workers.

    It has no diagnoses: those consider all violations of an implementation, and are made again.

    Args:
        named: Reports with the names of their files.

    Raises:
        ShardError: The reports are not exactly the shards of one run.
    """
    _check_conditions(named)
    _check_numbers(named)
    reports = [report for _, report in named]
    found = _merge_verdicts(named)
    _check_pairs(named)
    header = replace(
        reports[0].header,
        environment=_environment(reports),
        started=min(report.header.started for report in reports),
        workers=max(report.header.workers for report in reports),
        shard=None,
    )
    verdicts = sort_verdicts(found, header.implementations)
    footer = Footer(
        expected=sum(report.footer.expected for report in reports),
        verdicts=len(verdicts),
        missing=[],
        seconds=round(_wall_time(reports), 3),
        exit_code=_exit_code(reports, verdicts),
    )
    recognitions = {name: each for report in reports for name, each in report.recognitions.items()}
    mined = {name: each for report in reports for name, each in report.mined.items()}
    devices = {name: each for report in reports for name, each in report.devices.items()}
    environments = {name: each for one in reports for name, each in one.environments.items()}
    return Report(
        header=header,
        footer=footer,
        verdicts=verdicts,
        side_effects=_side_effects(reports),
        recognitions=recognitions,
        mined=mined,
        devices=devices,
        environments=environments,
    )


def _exit_code(reports: Sequence[Report], verdicts: Sequence[Verdict]) -> ExitCode:
    """Return the exit code of the single run; a shard with unusable waivers makes it unusable."""
    code = exit_code_of(verdicts, strict=reports[0].header.strict)
    unusable = any(report.footer.exit_code == ExitCode.UNUSABLE for report in reports)
    harmless = code in {ExitCode.OK, ExitCode.NOTHING_JUDGED}
    return ExitCode.UNUSABLE if unusable and harmless else code


def without_times(report: Report) -> dict[str, Any]:
    """Return a report as JSON values without times, workers and shard, for comparison."""
    data = report.to_dict()
    for name in _TIMES:
        data["header"].pop(name, None)
    del data["footer"]["seconds"]
    data["side_effects"] = {name: sorted(effects) for name, effects in report.side_effects.items()}
    for verdict in data["verdicts"]:
        del verdict["seconds"]
    return data


def _check_conditions(named: Sequence[tuple[str, Report]]) -> None:
    first_name, first = named[0]
    for name, report in named[1:]:
        mine, theirs = _conditions(first.header), _conditions(report.header)
        for key in ("edition", *mine):  # which explains other requirements
            if mine[key] != theirs[key]:
                msg = (
                    f"{name} was configured differently from {first_name}: {key} is "
                    f"{_difference(theirs[key], mine[key])}. Run all shards alike."
                )
                raise ShardError(msg)


def _conditions(header: Header) -> dict[str, Any]:
    """Return the fields that must be equal; platforms may differ in the version of the kernel."""
    data = {key: value for key, value in asdict(header).items() if key not in _TIMES}
    return data | {"environment": header.environment | {"platform": ""}}


def _environment(reports: Sequence[Report]) -> dict[str, str]:
    """Return the common environment, with all platforms."""
    found = dict(reports[0].header.environment)
    places = [report.header.environment.get("platform") for report in reports]
    if any(places):
        found["platform"] = " and ".join(dict.fromkeys(place for place in places if place))
    return found


def _side_effects(reports: Sequence[Report]) -> dict[str, list[str]]:
    """Return the side effects of each implementation in all shards."""
    found: dict[str, list[str]] = {}
    for report in reports:
        for name, effects in report.side_effects.items():
            found[name] = sorted({*found.get(name, ()), *effects})
    return found


def _wall_time(reports: Sequence[Report]) -> float:
    """Return the seconds from the start of the first shard to the end of the last."""
    ends = (report.header.started + report.footer.seconds for report in reports)
    return max(ends) - min(report.header.started for report in reports)


def _difference(theirs: Any, mine: Any) -> str:
    if isinstance(theirs, dict) and isinstance(mine, dict):
        keys = sorted(k for k in {*theirs, *mine} if theirs.get(k) != mine.get(k))
        theirs, mine = ({k: side.get(k) for k in keys} for side in (theirs, mine))
    return f"{_shorten(repr(theirs))}, not {_shorten(repr(mine))}"


def _shorten(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"


def _check_numbers(named: Sequence[tuple[str, Report]]) -> None:
    seen: dict[int, str] = {}
    count: int | None = None
    for name, report in named:
        if report.header.shard is None:
            msg = f"{name} is not a shard but a whole run. "
            msg += "Write shards with `conformance run --shard`."
            raise ShardError(msg)
        if not report.complete:
            msg = f"{name} is incomplete: {len(report.footer.missing)} missing. Run it again."
            raise ShardError(msg)
        try:
            shard = Shard.parse(report.header.shard)
        except ValueError as error:
            msg = f"{name}: {error}"
            raise ShardError(msg) from error
        if count not in {None, shard.count}:
            msg = f"{name} is shard {shard}, but others are parts of {count}. Run all shards alike."
            raise ShardError(msg)
        if shard.number in seen:
            msg = f"{name} and {seen[shard.number]} are both shard {shard}. Name each shard once."
            raise ShardError(msg)
        count, seen[shard.number] = shard.count, name
    lacking = [f"{i}/{count}" for i in range(1, (count or 0) + 1) if i not in seen]
    if lacking:
        shown = format_list(lacking)
        msg = f"shards are missing: {shown}. Run them with --shard, and name all reports."
        raise ShardError(msg)


def _check_pairs(named: Sequence[tuple[str, Report]]) -> None:
    """Refuse a shard with pairs that do not belong to it, or without some that do."""
    for name, report in named:
        header = report.header
        unknown = sorted({v.requirement for v in report.verdicts} - set(REQUIREMENTS))
        if unknown:
            msg = (
                f"{name} has {unknown[0]}, which this version of the suite does not know. "
                "Combine with the version that judged."
            )
            raise ShardError(msg)
        mine = Shard.parse(header.shard or "").of(header.requirements, header.implementations)
        there = {verdict.pair for verdict in report.verdicts}
        for pairs, verb in ((mine - there, "lacks"), (there - mine, "has, unlike its number,")):
            if pairs:
                msg = (
                    f"{name}, shard {header.shard}, {verb} {sorted(pairs)[0]}. Select by -k of "
                    "`conformance run` or by --conformance-select, and run it again."
                )
                raise ShardError(msg)


def _merge_verdicts(named: Sequence[tuple[str, Report]]) -> list[Verdict]:
    verdicts = [(name, verdict) for name, report in named for verdict in report.verdicts]
    counted = Counter(verdict.pair for _, verdict in verdicts)
    for pair, times in counted.items():
        if times > 1:
            files = [name for name, verdict in verdicts if verdict.pair == pair]
            msg = f"{' and '.join(files)} overlap: both have {pair}. Run the shards again."
            raise ShardError(msg)
    return [verdict for _, verdict in verdicts]
