"""The report on a terminal of 80 columns or in a pipe, with or without color."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape as without_markup
from rich.table import Table

from conformance.adapters.errors import printable
from conformance.report.causes import shared_cause
from conformance.report.model import Report
from conformance.report.observations import observation_lines
from conformance.report.place_differences import by_device, by_environment, comparison_lines
from conformance.report.summary import Summary, pluralize, summarize_each
from conformance.report.text import (
    explanation_lines,
    format_diagnosis,
    format_list,
    format_violation,
    is_other_edition,
    mined_lines,
    recognition_lines,
    rerun_command,
    run_options,
)
from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.verdict import Outcome, Verdict

_MARKS = {
    Outcome.VIOLATES: "violates",
    Outcome.VACUOUS: "vacuous",
    Outcome.ERRORED: "errored",
    Outcome.DEVIATES: "deviates (declared)",
    Outcome.WAIVED: "waived",
}


def render(report: Report, console: Console) -> None:
    """Print the whole report."""
    render_findings(report, console)
    render_conclusion(report, console)


def render_first(report: Report, verdict: Verdict, console: Console) -> None:
    """Print the violation that ends a run with ``-x``, while the run is still ending."""
    _render_heading(report, console)
    console.print()
    _render_violation(verdict, report, console)
    console.file.flush()  # a pipe would buffer it until the end


def render_recognitions(report: Report, console: Console) -> None:
    """Print why implementations without an adapter were read as they were."""
    for name, recognition in report.recognitions.items():
        console.print(f"Why [bold]{escape(name)}[/] is read as it is:", highlight=False)
        for line in explanation_lines(recognition):
            console.print(escape(f"  {line}"), highlight=False, soft_wrap=True)
        console.print()


def render_findings(report: Report, console: Console, printed: Verdict | None = None) -> None:
    """Print a table per implementation, then the violations.

    Args:
        report: The report.
        console: Where to print.
        printed: The verdict that ``render_first`` has printed with the heading.
    """
    if printed is None:
        _render_heading(report, console)
    for implementation in report.header.implementations:
        verdicts = report.of(implementation)
        if verdicts:
            console.print()
            _render_title(implementation, verdicts, console)
            lines = recognition_lines(report.recognitions.get(implementation))
            for line in [*lines, *mined_lines(report.mined.get(implementation))]:
                console.print(escape(f"  {line}"), highlight=False, soft_wrap=True)
            _render_families(verdicts, console)
    _render_bad([verdict for verdict in report.judgements if verdict != printed], report, console)
    _render_waived(report, console)


def render_conclusion(report: Report, console: Console) -> None:
    """Print the diagnoses and the summary."""
    for name, diagnosis in report.diagnoses.items():
        console.print()
        _render_diagnosis(name, diagnosis, console)
    render_observations(report, console)
    console.print()
    answers = len(report.header.implementations) + len(report.scopes())
    for number, line in enumerate(conclusion_lines(report)):
        console.print(line, highlight=False, style="bold" if number < answers else "")


def render_observations(report: Report, console: Console) -> None:
    """Print what was observed and not judged."""
    for line in observation_lines(report):
        console.print(escape(line), highlight=False, soft_wrap=True)


def escape(text: str) -> str:
    """Return text that Rich prints literally, with control characters escaped."""
    return without_markup(printable(text))


def _render_heading(report: Report, console: Console) -> None:
    for line in heading_lines(report):
        console.print(line, markup=False, highlight=False)


def _render_bad(verdicts: list[Verdict], report: Report, console: Console) -> None:
    """Print each bad verdict; of those with one cause, the first in full, the others by id."""
    by_cause: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        if not verdict.outcome.bad:
            continue
        if cause := shared_cause(verdict):
            same = by_cause.setdefault((verdict.implementation, cause), [])
            same.append(verdict.requirement)
            if len(same) > 1:
                continue
        console.print()
        _render_violation(verdict, report, console)
    for (name, _), (first, *others) in by_cause.items():
        if others:
            text = f"  {name}: same cause as {first}: {', '.join(others)}."
            console.print(f"\n{escape(text)}", highlight=False)


def _render_waived(report: Report, console: Console) -> None:
    """Print a line for each waived violation, with the reason."""
    waived = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.WAIVED]
    if waived:
        console.print()
    for verdict in waived:
        text = escape(f"{verdict.requirement}  {verdict.implementation}, {verdict.detail}")
        console.print(f"[yellow]![/] {text}", highlight=False, soft_wrap=True)


def heading_lines(report: Report) -> tuple[str, ...]:
    """Return lines with the conditions of the run: profile and seed, and versions."""
    header, found = report.header, report.header.environment
    names = ("batchnorm-conformance", "jax", "flax", "hypothesis")
    versions = ", ".join(f"{name} {found[name]}" for name in names if name in found)
    workers = f"{header.workers} worker{'s' * (header.workers > 1)}"
    seed = "Hypothesis' own seed" if header.seed is None else f"seed {header.seed}"
    cases = f"{header.max_examples} cases per property"
    devices = "".join(f" · {device}" for device in dict.fromkeys(report.devices.values()))
    edition = f"edition {header.edition} · " if is_other_edition(header) else ""
    return (
        f"{edition}{header.profile} profile · {cases} · {seed} · {workers}{devices}",
        versions,
        *_elsewhere(report),
    )


def _elsewhere(report: Report) -> list[str]:
    """Return the versions in the environment of each implementation in another one."""
    return [
        f"{name}: {', '.join(f'{each} {number}' for each, number in there.items())}"
        for name, there in report.environments.items()
    ]


def _render_title(name: str, verdicts: list[Verdict], console: Console) -> None:
    kind = next((verdict.kind for verdict in verdicts if verdict.kind), "")
    title = f"[bold]{escape(name)}[/]{f' · {escape(kind)}' if kind else ''}"
    console.print(title, highlight=False)


def _render_families(verdicts: list[Verdict], console: Console) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("  family", no_wrap=True)
    table.add_column("conform", justify="right")
    table.add_column("worst error÷bound", justify="right")
    table.add_column("sees from", justify="right")
    table.add_column("cases", justify="right")
    table.add_column("", overflow="fold")
    by_family: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_family.setdefault(REQUIREMENTS[verdict.requirement].family, []).append(verdict)
    for family, members in by_family.items():
        table.add_row(*_row(family, members))
    console.print(table, highlight=False)


def _row(family: str, members: list[Verdict]) -> tuple[str, str, str, str, str, str]:
    applicable = [v for v in members if v.outcome is not Outcome.UNSUPPORTED]
    if not applicable:
        needs = REQUIREMENTS[members[0].requirement].needs.value
        return f"  [dim]{family}", "[dim]-", "", "", "", f"[dim]unsupported: needs {needs}"
    good = sum(v.outcome in {Outcome.CONFORMS, Outcome.DEVIATES} for v in applicable)
    worst = max((v.worst for v in applicable if v.worst is not None), default=None)
    loosest = [max(v.resolution.values()) for v in applicable if v.resolution]
    remarks = [
        f"{word} {', '.join(_numbers(members, outcome))}"
        for outcome, word in _MARKS.items()
        if any(v.outcome is outcome for v in members)
    ]
    if partly := [str(REQUIREMENTS[v.requirement].number) for v in members if v.left_out]:
        remarks.append(f"inputs left out of {', '.join(partly)}, see its detail")
    bad = any(v.outcome.bad for v in applicable)
    colour = "red" if bad else "green" if good == len(applicable) else "yellow"
    return (
        f"  {family}",
        f"[{colour}]{good}/{len(applicable)}",
        "" if worst is None else f"{worst:.2f}",
        "" if not loosest else f"{max(loosest):.0e}",
        f"{sum(v.cases for v in applicable)}",
        f"[{'red' if bad else 'yellow'}]{'; '.join(remarks)}" if remarks else "",
    )


def _numbers(members: list[Verdict], outcome: Outcome) -> list[str]:
    return [str(REQUIREMENTS[v.requirement].number) for v in members if v.outcome is outcome]


def _render_violation(verdict: Verdict, report: Report, console: Console) -> None:
    rerun = rerun_command(verdict, run_options(report.header))
    text = format_violation(verdict, rerun, report.rows.get(verdict.requirement))
    warning = verdict.level is Level.SHOULD and not report.header.strict
    mark = "[yellow]![/]" if warning else "[red]✗[/]"
    first, _, rest = escape(text).partition("\n")
    console.print(f"{mark} [bold]{first}[/]", highlight=False, soft_wrap=True)
    console.print(rest, highlight=False, soft_wrap=True)


def _render_diagnosis(name: str, diagnosis: dict[str, Any], console: Console) -> None:
    first, *rest = format_diagnosis(name, diagnosis)
    console.print(f"[cyan]?[/] [bold]{escape(first)}[/]", highlight=False, soft_wrap=True)
    for line in rest:
        console.print(escape(line), highlight=False, soft_wrap=True)


def conclusion_lines(report: Report) -> list[str]:
    """Return the last lines: an answer per implementation, the evidence, what is missing."""
    scopes = report.scopes()
    lines = []
    for name, sums in summarize_each(report):
        lines.append(escape(answer_line(name, sums)))
        if name in scopes:
            lines.append(escape(f"{name}: {scopes[name].sentence()}."))
    return lines + evidence_lines(report)


def evidence_lines(report: Report, *, brief: bool = False) -> list[str]:
    """Return what the answers rest on, and what is missing; all but its number if brief."""
    cases = sum(verdict.cases for verdict in report.verdicts)
    compared = sum(verdict.comparisons for verdict in report.verdicts)
    judged = sum(verdict.outcome.judged for verdict in report.verdicts)
    lines = comparison_lines(report.verdicts, report.devices, by_device)
    lines += comparison_lines(report.verdicts, {}, by_environment)
    observed = sum(verdict.outcome is Outcome.OBSERVED for verdict in report.verdicts)
    counts = [pluralize(observed, "observation")] * bool(observed)
    if judged or not observed:
        counts.insert(0, f"{judged} judgements, {cases} cases, {compared} comparisons")
    lines += [f"{', '.join(counts)}, {report.footer.seconds:.1f} s."]
    lines += [
        f"{name} changed process-wide state: {format_list(names)}."
        for name, names in report.side_effects.items()
    ]
    lines += _cut(report)
    unknown = any(verdict.outcome is Outcome.ERRORED for verdict in report.verdicts)
    if not judged and not observed and not unknown and report.complete:
        lines.append("Nothing was judged: no chosen requirement applies to what was named.")
    if not report.complete:
        missing = report.footer.missing
        shown = "" if brief else f" ({format_list(missing)})"
        lines.append(f"Incomplete: {len(missing)} requirements were not reached{shown}.")
    return [escape(line) for line in lines]


def _cut(report: Report) -> list[str]:
    """Return a line about cases that were skipped because of --max-time."""
    short = [v for v in report.verdicts if v.cut]
    if not short:
        return []
    least = sorted(short, key=lambda v: v.cases / (v.cases + v.cut))[:3]
    shown = ", ".join(f"{v.requirement} {v.cases} of {v.cases + v.cut}" for v in least)
    more = ", …" if len(short) > len(least) else ""
    return [f"Cut short by --max-time: {len(short)} requirements (cases: {shown}{more})."]


def answer_line(name: str, sums: Summary) -> str:
    """Return the answer on one implementation as a sentence."""
    if not sums.applicable:
        return f"{name}: {sums.word}."
    known = f", {sums.waivers} waived" if sums.waivers else ""
    unjudged = f"{sums.errored} could not be judged" if sums.errored else ""
    if failed := sums.must + sums.should - sums.errored:
        must = sums.must - sums.errored_must
        known = f", {unjudged}{known}" if unjudged else known
        return f"{name}: fails {failed} of {sums.applicable} requirements ({must} MUST){known}."
    if unjudged:
        return f"{name}: of {sums.applicable} requirements {unjudged}, {sums.good} conform{known}."
    declared = f", {sums.deviations} of them by a declared deviation" if sums.deviations else ""
    declared += f", {sums.partial} of them in part" if sums.partial else ""
    return f"{name}: conforms to {sums.good} of {sums.applicable} requirements{declared}{known}."
