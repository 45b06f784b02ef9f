"""The page of a cause in docs/findings: an issue that can be sent to the framework as it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from cause_texts import FOLDER, CauseText, read

Data = Mapping[str, Any]


def cause_page(cause: str, findings: Data, shown: Data, history: Data) -> str:
    """Return the page of a cause.

    Args:
        cause: The name of its folder.
        findings: What `findings.py` stores.
        shown: What `demonstrate.py` stores for this cause.
        history: By version of the framework, that of JAX (``jax``) and what the script shows
            (``shows``): ``present``, ``absent``, or why it does not run.
    """
    text = read(cause)
    framework = next(iter(shown["versions"]))
    parts = [
        f"# {text.title}",
        f"**Severity: {text.severity}.** {_one_line(text.reason)}",
        f"**Versions.** {_versions(framework, shown, history)}",
        _one_line(text.what),
        f"**Documented?** {_one_line(text.documented)}",
        "## Script",
        _code("python", (FOLDER / cause / "script.py").read_text(encoding="utf-8")),
        f"It prints, with {_joined(f'{n} {v}' for n, v in shown['versions'].items())},",
        _code("", shown["output"]),
        "## Why it matters",
        _one_line(text.why),
        "## Where",
        "\n".join(f"- {_place(each, framework, shown)}" for each in shown["places"]),
        *_change(cause, text),
        *_related(text),
        "## How it was found",
        _found(cause, findings),
    ]
    return "\n\n".join(parts) + "\n"


def _versions(framework: str, shown: Data, history: Data) -> str:
    """Return in which versions the cause is present, of those that were tried."""
    current = shown["versions"]
    tried = {**history, current[framework]: {"jax": current["jax"], "shows": "present"}}
    by_end: dict[str, list[str]] = defaultdict(list)
    for number, found in tried.items():
        with_jax = f" (with jax {found['jax']})" if found["jax"] != current["jax"] else ""
        by_end[found["shows"]].append(number + with_jax)
    words = [f"Present in {framework} {_joined(by_end.pop('present'))}"]
    if absent := by_end.pop("absent", []):
        words.append(f"absent in {_joined(absent)}")
    words += [f"in {_joined(numbers)} the script ends with `{e}`" for e, numbers in by_end.items()]
    return "; ".join(words) + ". Other versions were not tried."


def _place(place: Data, framework: str, shown: Data) -> str:
    first, last = place["lines"]
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    where = f"`{place['file']}`, `{place['function']}`"
    return f"{where}, {lines} in {framework} {shown['versions'][framework]}"


def _change(cause: str, text: CauseText) -> list[str]:
    return [
        "## Suggested change",
        _one_line(text.change),
        _code("diff", (FOLDER / cause / "change.diff").read_text(encoding="utf-8")),
        "With this change the script prints what it expects.",
        "## Test",
        f"For `{text.test_file}`. It fails without the change, and passes with it.",
        _code("python", (FOLDER / cause / "test.py").read_text(encoding="utf-8")),
    ]


def _related(text: CauseText) -> list[str]:
    if not text.related:
        return []
    return ["## Related", "\n".join(f"- {each}" for each in text.related)]


def _found(cause: str, findings: Data) -> str:
    """Return what is violated because of a cause, and an example."""
    caused = [each for each in findings["violations"] if each["cause"] == cause]
    violated = defaultdict(list)
    for each in caused:
        violated[each["implementation"]].append(each["requirement"])
    lines = [f"- {name}: {listed(found)}" for name, found in violated.items()]
    first = caused[0]
    return "\n".join(
        [
            "By a conformance suite for Batch Normalization, which judges generated inputs by "
            "numbered requirements. Violated are\n",
            *lines,
            f"\nFor example `{first['requirement']}`: {first['finding']}.",
        ]
    )


def listed(requirements: Iterable[str]) -> str:
    """Return ids of requirements in a line, with their number if it is large."""
    rows = list(requirements)
    counted = f" ({len(rows)} requirements)" if len(rows) > 9 else ""
    return ", ".join(rows) + counted


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def _joined(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _one_line(text: str) -> str:
    return " ".join(text.split())
