"""Malformed files of waivers, for a run and for `waivers update`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.example_reports import EVERY, report, verdict
from support.refusing import expect_refusal

from conformance.requirements.verdict import Outcome

ENTRY = """
[[waiver]]
requirement = "BN-EMA-2"
implementation = "norm.py:Norm"
reason = "it is so"
issue = "#1"
"""


def entry_without(key: str) -> str:
    """Return the entry without a line."""
    return "\n".join(line for line in ENTRY.splitlines() if not line.startswith(key))


NO_TOML: dict[str, tuple[str | bytes, str]] = {
    "text": ("hello", "is not a waiver file: Expected '='"),
    "cut": (ENTRY[:-2], "is not a waiver file: "),
    "binary": (b"\xff\xfe\x00", "'utf-8' codec can't decode"),
    "nested": ("a = " + "[" * 100_000, "it is nested too deeply"),
    "twice a key": (ENTRY + 'issue = "#2"', "Cannot overwrite a value"),
    "control": (ENTRY.replace("it is so", "\x1b[2J"), r"Illegal character '\x1b'"),
    "other tables": ("[tool]\nx = 1", "expected [[waiver]] entries only, found tool"),
    "number": ("waiver = 3", "expected [[waiver]] entries only"),
    "future": ("version = 2\n" + ENTRY, "expected [[waiver]] entries only, found version"),
    "a report": ('{"format": "batchnorm-conformance"}', "is not a waiver file"),
}
NO_ENTRY: dict[str, tuple[str, str]] = {
    "numbers": ("waiver = [1, 2]", "entry 1: 1 is not a table"),
    "a list": ("waiver = [[]]", "entry 1: [] is not a table"),
    "empty": ("[[waiver]]", "requirement is missing or empty"),
    "no requirement": (entry_without("requirement"), "requirement is missing or empty"),
    "no implementation": (entry_without("implementation"), "implementation is missing or empty"),
    "no reason": (entry_without("reason"), "reason is missing or empty"),
    "no issue": (entry_without("issue"), "issue is missing or empty"),
    "blank reason": (ENTRY.replace("it is so", " \\t"), "reason is missing or empty"),
    "reason 3": (ENTRY.replace('"it is so"', "3"), "reason is missing or empty"),
    "nothing to waive": (ENTRY.replace("EMA-2", "EMA-9"), "BN-EMA-9 is a MAY"),
    "unknown id": (ENTRY.replace("EMA-2", "EMA-99"), "BN-EMA-99 is not a requirement"),
    "evil id": (ENTRY.replace("BN-EMA-2", "\\u001b[2J"), r"\x1b[2J is not a requirement"),
    "unknown key": (ENTRY + "until = 2030-01-01", "until is not a key of a waiver"),
    "evil key": (ENTRY + '"\\u001b" = 1', r"\x1b is not a key of a waiver"),
    "quoted date": (ENTRY + 'expires = "2030-01-31"', "expires = '2030-01-31' is not a date"),
    "a time": (ENTRY + "expires = 2030-01-31T00:00:00", "is not a date"),
    "expired": (ENTRY + "expires = 2020-01-31", "expired on 2020-01-31"),
    "twice": (ENTRY + ENTRY, "is there twice"),
    "pin": (ENTRY + 'pin = "{"', "pin or diagnosis cannot be read"),
    "pin 3": (ENTRY + "pin = 3", "pin or diagnosis cannot be read"),
    "pin list": (ENTRY + 'pin = "[]"', "pin or diagnosis cannot be read"),
    "nested pin": (ENTRY + f"pin = '{'[' * 100_000}'", "pin or diagnosis cannot be read"),
    "diagnosis": (ENTRY + "diagnosis = 3", "pin or diagnosis cannot be read"),
}


@pytest.fixture
def write_waivers(place) -> Callable[[str | bytes], None]:
    """Write the file of waivers, and a report to update it from."""

    def write(content: str | bytes) -> None:
        report(*EVERY).write(place / "r.json")
        data = content if isinstance(content, bytes) else content.encode()
        (place / "w.toml").write_bytes(data)

    return write


@pytest.mark.parametrize("name", [*NO_TOML, *NO_ENTRY])
def test_a_run_refuses(name, place, write_waivers):
    """The message names the file, the entry and the rule, before anything is judged."""
    content, message = {**NO_TOML, **NO_ENTRY}[name]
    write_waivers(content)
    output = expect_refusal(place, "run", "--waivers", "w.toml")
    assert message in output
    assert "w.toml" in output


@pytest.mark.parametrize("name", [*NO_TOML, "numbers", "no requirement", "no implementation"])
def test_an_update_refuses(name, place, write_waivers):
    """Existing content is kept, and nothing is added to a file that cannot be parsed."""
    write_waivers({**NO_TOML, **NO_ENTRY}[name][0])
    assert "w.toml" in expect_refusal(
        place, "waivers", "update", "--report", "r.json", "--file", "w.toml"
    )


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        ("waiver = []", "w.toml", "nothing can be added to it: Cannot mutate immutable"),
        (ENTRY, "r.json/w.toml", "cannot be written: "),
        (ENTRY, ".", "is a directory"),
    ],
)
def test_an_update_leaves_no_broken_file(content, target, message, place, write_waivers):
    """Nor a file where none can be."""
    write_waivers(content)
    output = expect_refusal(place, "waivers", "update", "--report", "r.json", "--file", target)
    assert message in output


def test_a_huge_file_is_refused(place):
    """It is not read to its end."""
    with (place / "w.toml").open("wb") as file:
        file.truncate(1 << 30)
    assert "it has more than 16777216 bytes" in expect_refusal(place, "run", "--waivers", "w.toml")


def test_a_name_that_is_no_text_is_no_entry(place, write_waivers):
    """A report may contain names that cannot be encoded; the file is left as it was."""
    write_waivers(ENTRY)
    report(verdict("BN-EMA-1", Outcome.VIOLATES, implementation="\ud800")).write(place / "r.json")
    output = expect_refusal(place, "waivers", "update", "--report", "r.json", "--file", "w.toml")
    assert "surrogates not allowed" in output
