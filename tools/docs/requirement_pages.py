"""The pages of the site that are generated: one for each requirement and for each family.

Everything on them comes from the requirement table, the properties, the kill matrix, the code of
the faults and the recorded examples. The headings have explicit anchors, which do not change.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from fault_code import codes

from conformance.report.kill_matrix import KillMatrix, Row
from conformance.report.text import format_literal
from conformance.requirements import REQUIREMENTS, THEMES, Level, Requirement, families
from conformance.requirements.editions import history_of, published_editions
from conformance.requirements.finding import Finding

ROOT = Path(__file__).parents[2]
PROPERTIES = ROOT / "conformance" / "properties"
_EXAMPLES = "docs/data/examples.json"
MATRIX = ROOT / "benchmarks" / "results" / "kill-matrix.json"


def pages(examples: dict[str, Any]) -> dict[str, str]:
    """Return the Markdown of each page by its path in docs.

    Args:
        examples: The recorded example of each requirement, by id.
    """
    rows = KillMatrix.read(MATRIX).rows
    found = {f"requirements/{family}/index.md": family_page(family) for family in families()}
    for row in REQUIREMENTS.values():
        page = requirement_page(row, rows, examples.get(row.id))
        found[f"requirements/{row.id}.md"] = page
    return found


def navigation() -> list[Any]:
    """Return the families as sections of the navigation, with the pages of their requirements."""
    return [
        {
            family: [
                f"requirements/{family}/index.md",
                *(f"requirements/{row.id}.md" for row in _members(family)),
            ]
        }
        for family in families()
    ]


def family_page(family: str) -> str:
    """Return the page of a family: what it is about, and its requirements."""
    lines = [f"# {family}", "", _theme(family), "", "| requirement | level | statement |"]
    lines.append("|---|---|---|")
    for row in _members(family):
        lines.append(f"| {row.id} | {_badge(row.level)} | {_cell(row.statement)} |")
    return "\n".join(lines) + "\n"


def requirement_page(
    row: Requirement, faults: dict[str, Row], example: dict[str, Any] | None
) -> str:
    """Return the page of a requirement.

    Args:
        row: The requirement.
        faults: The rows of the kill matrix, by name of the fault.
        example: Its recorded example; None if nothing can violate it.
    """
    judge = _properties().get(row.id)
    name = f": {judge.name.replace('_', ' ')}" if judge else ""
    sections = [
        f"---\ntitle: {row.id}\n{_boost(row)}---\n\n# {row.id}{name}",
        f"{_badge(row.level)} · family [{row.family}](/requirements/{row.family}/index.md) · "
        f"applies to [`{row.needs.value}`](/requirements.md#needs) · {_editions(row)}",
        f"> {row.statement}",
        _block(row.formula or (judge.formula if judge else "")),
        "[Notation](/requirements.md#notation)",
        f"## Why it matters {{#why}}\n\n{_sentences(row.why)}",
        f"## Grounds {{#grounds}}\n\n{_sentences(row.grounds)}\n\nSource: {row.source}.",
        *_mistakes(row, faults),
    ]
    if example is not None:
        sections += _example(row, example)
    if judge:
        sections.append(
            f"## How it is {'judged' if row.mistakes else 'observed'} {{#property}}\n\n"
            f"From {_source(judge.path)}:\n\n{_block(judge.code, 'python')}"
        )
    sections.append(f"## History {{#history}}\n\n{_history(row)}")
    return "\n\n".join(section for section in sections if section) + "\n"


def _boost(row: Requirement) -> str:
    """Return the weight of a page in searches: 1 begins 10, too, but is to be found before it."""
    return "search:\n  boost: 0.5\n" if row.number >= 10 else ""


def _editions(row: Requirement) -> str:
    """Return the newest edition that has a requirement."""
    having = [edition.name for edition in published_editions() if row.id in edition.rows]
    return f"edition {having[-1]}" if having else "in the draft of the next edition"


def _history(row: Requirement) -> str:
    """Return what each edition changed about a requirement."""
    lines = ["| edition | change |", "|---|---|"]
    for change in history_of(row.id):
        what = ". ".join(filter(None, (change.what, change.reason)))
        lines.append(f"| {change.edition} | {_cell(what)} |")
    return "\n".join(lines)


def _mistakes(row: Requirement, faults: dict[str, Row]) -> list[str]:
    """Return what is done wrong, in words and as layers of the gallery."""
    if not row.mistakes:
        return ["What a layer does here is observed and not judged: nothing violates it."]
    listed = "\n".join(f"- {each}" for each in row.mistakes)
    return [f"## Mistakes {{#mistakes}}\n\n{listed}", *_gallery(row, faults)]


def _gallery(row: Requirement, faults: dict[str, Row]) -> list[str]:
    """Return the faults that violate a requirement: those that name it, then the others, folded."""
    named = {name: fault for name, fault in faults.items() if row.id in fault.breaks}
    others = {
        name: fault
        for name, fault in faults.items()
        if row.id in fault.violates and name not in named
    }
    parts = []
    if named:
        parts += [
            "Faulty layers of the gallery that are recorded as violations of it; "
            f"`conformance run fault:{next(iter(named))} -k {row.id}` judges one.",
            _table(named),
        ]
    if others:
        title = f'??? note "{len(others)} other faults were seen to violate it, too"'
        parts.append(title + "\n\n" + textwrap.indent(_table(others), "    "))
    return parts


def _table(faults: dict[str, Row]) -> str:
    lines = ["| fault | what is wrong |", "|---|---|"]
    for name, fault in faults.items():
        seen = f" Seen in {fault.source}." if fault.source else ""
        lines.append(f"| `{name}` | {_cell(fault.sentence + seen)} |")
    return "\n".join(lines)


def _example(row: Requirement, example: dict[str, Any]) -> list[str]:
    """Return a faulty layer and the smallest inputs on which it was seen to violate it."""
    name, code = example["fault"], codes()[example["fault"]]
    finding = Finding.from_json(example["finding"]).sentence()
    given = [f"{each} = {format_literal(value)}" for each, value in example["inputs"].items()]
    return [
        f"## An example that fails {{#example}}\n\nThe fault `{name}`, from {_source(code.path)}:",
        _block(code.text, "python"),
        f"`conformance run fault:{name} -k {row.id}` finds a violation, and reduces it to the "
        "smallest inputs that show it:",
        _block("\n".join(_wrapped([finding, *given])).replace("the JSON report", _EXAMPLES)),
        "Arrays that are not listed have the values of a fresh layer. Recorded at commit "
        f"{example['commit']}, with the default profile.",
    ]


def _source(path: Path) -> str:
    """Return a link to a file of the repository, as on a page in ``docs/requirements``."""
    place = path.relative_to(ROOT).as_posix()
    return f"[`{place}`](../../{place})"


def _wrapped(lines: Iterable[str]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, 78, subsequent_indent="    ")]


class _Judge:
    """The property that judges a requirement, as it is written."""

    def __init__(self, path: Path, node: ast.FunctionDef, text: str) -> None:
        self.path, self.name = path, node.name
        self.formula = ast.get_docstring(node) or ""
        first = min(decorator.lineno for decorator in node.decorator_list)
        self.code = "\n".join(text.splitlines()[first - 1 : node.end_lineno])


@cache
def _properties() -> dict[str, _Judge]:
    """Return the property of each requirement, from its source: nothing is imported."""
    found = {}
    for path in sorted(PROPERTIES.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                for call in node.decorator_list:
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "requirement":
                        found[ast.literal_eval(call.args[0])] = _Judge(path, node, text)
    return found


@cache
def _theme(family: str) -> str:
    """Return what the module with the rows of a family says it is about."""
    modules = (import_module(f"conformance.requirements.{theme}") for theme in THEMES)
    (found,) = [m for m in modules if any(row.family == family for row in m.ROWS)]
    return (found.__doc__ or "").partition("\n")[0]


def _members(family: str) -> list[Requirement]:
    return [row for row in REQUIREMENTS.values() if row.family == family]


def _badge(level: Level) -> str:
    return f"**{level.value.upper()}**{{ .level .{level.value} }}"


def _block(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _sentences(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
