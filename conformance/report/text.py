"""Verdicts as plain text, the same in a terminal, in a pytest failure and in JUnit."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conformance.engine.budget import MAX_EXAMPLES
from conformance.requirements import REQUIREMENTS, Requirement
from conformance.requirements.editions import newest_edition
from conformance.requirements.finding import Finding
from conformance.requirements.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from conformance.report.model import Header

WIDTH = 78
"""Columns of wrapped text."""

_INDENT = "    "
_SHOWN_NUMBERS = 48
"""An array of more numbers is shown only as its shape; the JSON report has all of them."""


def format_violation(
    verdict: Verdict, rerun: str | None = None, row: Requirement | None = None
) -> str:
    """Return all that a reader needs to act on a bad verdict, in a few lines.

    Args:
        verdict: A verdict with a bad outcome.
        rerun: The command that judges this pair again; by default the one without options.
        row: The requirement as the edition of the run has it; by default the newest.
    """
    row = row or REQUIREMENTS[verdict.requirement]
    title = f"{row.id}  {row.statement}"
    lines = [*textwrap.wrap(title, WIDTH - 6, subsequent_indent=_INDENT)]
    if row.formula:
        lines.append(f"{_INDENT}{row.formula}")
    level = verdict.level.value.upper()
    lines.append(f"{_INDENT}{verdict.implementation} · {level} · {_outcome_word(verdict)}")
    if verdict.violation is not None:
        lines += [_INDENT + line for line in format_finding(verdict.violation.finding)]
        lines += _input_lines(verdict.violation.inputs)
    if verdict.detail:
        lines += [_INDENT + line for line in verdict.detail.splitlines()]
    lines.append(f"{_INDENT}Again:    {rerun or rerun_command(verdict)}")
    if verdict.violation is not None and verdict.violation.id:
        lines.append(f"{_INDENT}Replay:   conformance replay {verdict.violation.id}")
    lines.append(f"{_INDENT}Explain:  conformance explain {row.id}")
    return "\n".join(lines)


def recognition_lines(recognition: Mapping[str, Any] | None) -> list[str]:
    """Return how an implementation without an adapter was read, and what may be added.

    Args:
        recognition: Its entry in the report; None for an implementation with an adapter.
    """
    if recognition is None:
        return []
    lines = [f"Recognized as {recognition['line']}"]
    lines += [f"To declare, if it is meant: {each}" for each in recognition["suggestions"]]
    return [part for line in lines for part in _fold(line)]


def mined_lines(mined: Sequence[float] | None) -> list[str]:
    """Return the line with the numbers of the source that became sizes and values.

    Args:
        mined: The numbers; None or empty if there are none.
    """
    return _fold(f"mined: {', '.join(f'{each:g}' for each in mined)}") if mined else []


def explanation_lines(recognition: Mapping[str, Any]) -> list[str]:
    """Return why an implementation without an adapter was read as it was."""
    return [part for reason in recognition["reasons"] for part in _fold(reason)]


def _fold(line: str) -> list[str]:
    """Return a line in several; an expression of Python stays one, since no name is broken."""
    return textwrap.wrap(
        line, WIDTH - 6, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def rerun_command(verdict: Verdict, options: str = "") -> str:
    """Return the command that judges this pair again."""
    name = shlex.quote(verdict.implementation)
    return f"conformance run {name} -k {verdict.requirement}{options}"


def run_options(header: Header) -> str:
    """Return the options of a run that differ from the defaults."""
    options = "" if not header.seed else f" --seed {header.seed}"
    options += "" if header.profile == "default" else f" --profile {header.profile}"
    if header.max_examples != MAX_EXAMPLES.get(header.profile):
        options += f" --max-examples {header.max_examples}"
    options += " --ignore-declarations" * header.strict_reading
    options += f" --edition {header.edition}" * is_other_edition(header)
    return options


def is_other_edition(header: Header) -> bool:
    """Whether a run was judged by another edition of the requirements than the newest."""
    return header.edition not in {"", newest_edition().name}


def format_finding(finding: Finding) -> list[str]:
    """Return the sentence of a finding, wrapped if it is long."""
    sentence = finding.sentence()
    return (
        [sentence]
        if len(sentence) <= WIDTH - 4
        else textwrap.wrap(sentence, WIDTH - 4, subsequent_indent="  ")
    )


_CONFIDENCE = {
    "alternative": "most likely",
    "observed": "observed",
    "none": "nothing known",
    "resembles": "resembles a known fault",  # in reports of earlier versions
}


def format_diagnosis(name: str, diagnosis: dict[str, Any]) -> list[str]:
    """Return the most likely mistake of an implementation and the evidence for it, as lines."""
    lines: list[str] = []
    for number, each in enumerate((diagnosis, *diagnosis.get("further", ()))):
        confidence = "and besides" if number else _CONFIDENCE[each["kind"]]
        title = f"{name}, {confidence}: {sentence_of(each)}"
        lines += textwrap.wrap(title, WIDTH - 2, subsequent_indent=_INDENT) + diagnosis_facts(each)
    return lines


def sentence_of(diagnosis: dict[str, Any]) -> str:
    """Return what a diagnosis says is wrong, and that it is not all if it is not."""
    sentence = str(diagnosis["sentence"])
    return f"in part, {sentence}" if diagnosis.get("partial") else sentence


_LONGEST_PLACE = 48
"""Characters of a file, line and column; of a longer one the end is shown."""

_EVIDENCE = (("", "formula"), ("", "figure"))
_WAY_OUT = (("Do: ", "remedy"), ("", "convention"))


def diagnosis_facts(diagnosis: dict[str, Any], *, brief: bool = False, most: int = 99) -> list[str]:
    """Return the evidence for a diagnosis and the way out, as indented lines.

    Args:
        diagnosis: The diagnosis.
        brief: Leave out the evidence.
        most: The most lines after the wrong expression; facts that would exceed them are left out.
    """
    lines = line_facts(diagnosis.get("line"))
    most += len(lines)
    shown = _WAY_OUT if brief else (*_EVIDENCE, *_WAY_OUT)
    facts = [f"{label}{diagnosis[key]}" for label, key in shown if diagnosis.get(key)]
    facts += [f"or, indistinguishable from it: {other}" for other in diagnosis.get("also", ())]
    facts += diagnosis.get("known", ())
    facts += _declaring(diagnosis.get("declaring", {}))
    for text in facts:
        more = textwrap.wrap(text, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT + "  ")
        lines += more if len(lines) + len(more) <= most else []
    return lines


_CORRECTED = {
    "instead": "all calls tried are right with {}",
    "also": "all calls tried are right if this follows: {}",
    "in training": "all calls tried are right if only training executes {}",
    "without": "all calls tried are right without it",
}
"""What an edit shows, by how it changes the place."""


def line_facts(line: Mapping[str, Any] | None) -> list[str]:
    """Return where a mistake is, and the numbers that show it if there are any, as lines."""
    if line is None:
        return []
    place = f"{line['file']}:{line['line']}:{line['column']}"
    place = place if len(place) <= _LONGEST_PLACE else "…" + place[1 - _LONGEST_PLACE :]
    if "got" not in line:  # where no number is wrong
        return [_cut(f"{_INDENT}{place}  {line['text']}")]
    corrected = _corrected(line)
    if not line.get("shown", True):
        return [_cut(f"{_INDENT}{place}  {line['text']}"), *corrected]
    mode = "" if line["training"] else " in evaluation"
    uses = f", by the {line['uses']}," if line.get("uses") else ""
    expected = f"{line['expected']:.7g} is expected{mode}"
    numbers = f"{_INDENT}  {line['got']:.7g}{uses} where {expected}, for "
    given = [f"{name} = {format_literal(each)}" for name, each in line["given"].items()]
    while len(given) > 1 and len(numbers + ", ".join(given)) > WIDTH:
        given.pop()
    shown = _cut(numbers + ", ".join(given))
    return [_cut(f"{_INDENT}{place}  {line['text']}"), shown, *corrected]


def describe_edit(line: Mapping[str, Any]) -> str:
    """Return with which edit all calls are right, if one was found."""
    return _CORRECTED[line["how"]].format(line.get("new", "")) if line.get("how") else ""


def _corrected(line: Mapping[str, Any]) -> list[str]:
    return textwrap.wrap(
        describe_edit(line),
        WIDTH,
        initial_indent=f"{_INDENT}  ",
        subsequent_indent=f"{_INDENT}    ",
        max_lines=3,
        placeholder=" …",
    )


def _cut(text: str) -> str:
    """Return text as one line, shortened if it is too long."""
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 2]} …"


def _declaring(found: dict[str, Any]) -> list[str]:
    """Return what declaring a deviation would change, as it was tried."""
    if not found:
        return []
    left, tried = found["remaining"], found["tried"]
    rest = f"{len(left)} would remain: {format_list(left)}" if left else "none would remain"
    return [f"Declaring {', '.join(found['names'])} was tried on {tried} violations: {rest}."]


def _outcome_word(verdict: Verdict) -> str:
    if verdict.violation is not None and verdict.violation.flaky:
        return "violates, but not each time"
    return {Outcome.VACUOUS: "vacuous", Outcome.ERRORED: "errored"}.get(
        verdict.outcome, verdict.outcome.value
    )


def _input_lines(inputs: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, value in inputs.items():
        text = f"{name} = {format_literal(value)}"
        lines += textwrap.wrap(
            text, WIDTH - 4, initial_indent=_INDENT, subsequent_indent=_INDENT + "  "
        )
    return lines


def format_literal(value: Any) -> str:
    """Return a JSON value as a reader would type it, and a long array as its shape."""
    if isinstance(value, dict):
        inner = ", ".join(f"{name}={format_literal(item)}" for name, item in value.items())
        return f"({inner})"
    if not isinstance(value, list):
        return _short(value)
    size = _size(value)
    if size > _SHOWN_NUMBERS:
        shape = "×".join(map(str, _shape(value)))
        return f"array of shape {shape}, in full in the JSON report"
    return "[" + ", ".join(format_literal(item) for item in value) + "]"


def format_list(items: Sequence[str], most: int = 5) -> str:
    """Return items separated by commas, with an ellipsis for those beyond ``most``."""
    return ", ".join([*items[:most], *["…"] * (len(items) > most)])


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return value if isinstance(value, str) else json.dumps(value)


def _size(value: Any) -> int:
    return sum(map(_size, value)) if isinstance(value, list) else 1


def _shape(value: Any) -> list[int]:
    return [len(value), *_shape(value[0])] if isinstance(value, list) and value else []
