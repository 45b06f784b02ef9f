"""Malformed reports: broken, truncated, huge, from the future, or made to harm who reads them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.example_reports import EVERY, report
from support.refusing import expect_refusal

from conformance.report.model import Report

BASE = report(*EVERY[:2]).to_dict()
COMMANDS = {
    "report": ("report", "report.json"),
    "html": ("report", "report.json", "--html", "old.json"),
    "diff": ("diff", "old.json", "report.json"),
    "combine": ("combine", "report.json", "--output", "all.json"),
    "replay": ("replay", "ema1-000000", "--report", "report.json"),
    "waivers": ("waivers", "update", "--report", "report.json"),
}


def report_with(*path: Any, value: Any) -> Callable[[], str]:
    """Return a report in which one value is another."""

    def make() -> str:
        data = copy.deepcopy(BASE)
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return json.dumps(data)

    return make


def report_without(key: str) -> Callable[[], str]:
    """Return a report that lacks a part."""
    return lambda: json.dumps({k: v for k, v in BASE.items() if k != key})


def report_with_duplicate() -> str:
    """Return a report with one verdict twice, and a footer that says so."""
    data = copy.deepcopy(BASE)
    data["verdicts"].append(data["verdicts"][0])
    data["footer"] |= {"verdicts": 3, "expected": 3}
    return json.dumps(data)


REPORTS: dict[str, tuple[Callable[[], str | bytes], str]] = {
    "empty": (lambda: "", "is not a report"),
    "text": (lambda: "hello", "is not a report"),
    "binary": (lambda: b"\xff\xfe\x00", "is not a report"),
    "list": (lambda: "[]", "format None"),
    "null": (lambda: "null", "format None"),
    "another format": (lambda: '{"format": "junit", "version": 1}', "format 'junit'"),
    "future": (report_with("version", value=99), "version 99; this suite reads 1"),
    "version as text": (report_with("version", value="1"), "version '1'"),
    "version true": (report_with("version", value=True), "version True"),
    "huge version": (report_with("version", value="9" * 10_000), "this suite reads 1"),
    "truncated": (lambda: json.dumps(BASE)[:-40], "is not a report"),
    "trailing": (lambda: json.dumps(BASE) + "}", "is not a report"),
    "nested": (lambda: "[" * 200_000, "is not a report: RecursionError"),
    "nested inputs": (
        lambda: json.dumps(BASE).replace('["impl"]', "[" * 400 + "]" * 400, 1),
        "$.header.implementations[0]: ",
    ),
    "NaN": (report_with("footer", "seconds", value=float("nan")), "NaN is not JSON"),
    "Infinity": (report_with("footer", "seconds", value=float("inf")), "Infinity is not JSON"),
    "twice": (lambda: json.dumps(BASE)[:-1] + ', "version": 1}', "'version' is there twice"),
    "no footer": (report_without("footer"), "'footer' is a required property"),
    "no header": (report_without("header"), "'header' is a required property"),
    "unknown part": (report_with("extra", value=1), "'extra' was unexpected"),
    "verdicts as text": (report_with("verdicts", value="all fine"), "is not of type 'array'"),
    "negative cases": (report_with("verdicts", 0, "cases", value=-1), "less than the minimum of 0"),
    "cases as text": (report_with("verdicts", 0, "cases", value="1"), "is not of type 'integer'"),
    "wrong id": (report_with("verdicts", 0, "requirement", value="../etc"), "does not match"),
    "wrong outcome": (report_with("verdicts", 0, "outcome", value="perfect"), "is not one of"),
    "no violation": (report_with("verdicts", 0, "outcome", value="violates"), "disagree"),
    "negative error": (report_with("verdicts", 0, "worst", value=-1), "worst: -1 is not valid"),
    "huge number": (
        report_with("verdicts", 0, "cases", value=10**400),
        "401 digits, more than any",
    ),
    "beyond infinity": (lambda: json.dumps(BASE).replace("12.34", "1e999"), "1e999 is larger"),
    "waived without": (report_with("verdicts", 0, "outcome", value="waived"), "disagree"),
    "conforms with": (report_with("verdicts", 1, "outcome", value="conforms"), "disagree"),
    "a page of text": (
        report_with("verdicts", 0, "cases", value="x" * 100_000),
        "$.verdicts[0].cases: ",
    ),
    "many wrong": (report_with("verdicts", value=[{}] * 10_000), "is a required property"),
    "surrogate": (report_with("format", value="\ud800"), r"format '\ud800'"),
    "cut": (report_with("verdicts", value=[]), "0 verdicts, where the footer counts 2"),
    "said complete": (
        report_with("footer", "missing", value=["BN-EMA-1[impl]"]),
        "contradicts itself",
    ),
    "doubled": (report_with_duplicate, "two verdicts on BN-"),
    "escapes": (report_with("format", value="\x1b[2J\x07"), r"format '\x1b[2J\x07'"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_reports(name, place):
    """A report that is none is refused in one printable line that names the file."""
    make, message = REPORTS[name]
    content = make()
    path = place / "report.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    output = expect_refusal(place, "report", "report.json")
    assert message in output
    (line,) = [line for line in output.splitlines() if line.startswith("Error: report.json")]
    assert len(line) < 600
    assert line.isprintable()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_read_reports(command, place):
    """None takes a report that is cut short, nor overwrites anything for it."""
    (place / "old.json").write_text(json.dumps(BASE), encoding="utf-8")
    (place / "report.json").write_text(json.dumps(BASE)[:-40], encoding="utf-8")
    assert "report.json is not a report" in expect_refusal(place, *COMMANDS[command])


def test_the_newer_of_two_reports_may_be_the_unusable_one(place):
    """``diff`` names the one that it cannot read."""
    assert "old.json: format None" in expect_refusal(place, "diff", "old.json", "old.json")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.json", "none.json is not a report: [Errno 2] No such file"),
        (".", "is a directory"),
        ("/dev/null", "/dev/null is not a report"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_cannot_be_read_is_no_report(name, message, place):
    """A file that cannot be opened is named in the message."""
    assert message in expect_refusal(place, "report", name)


def test_a_huge_file_is_not_read(place):
    """A file larger than any report is refused before its bytes are in memory."""
    with (place / "huge.json").open("wb") as file:
        file.truncate(2 << 30)
    assert "more than the 1073741824 bytes" in expect_refusal(place, "report", "huge.json")


def test_the_report_that_all_are_made_from_is_read(place):
    """The cases above fail only because of the change in them."""
    (place / "report.json").write_text(json.dumps(BASE), encoding="utf-8")
    assert Report.read(place / "report.json").complete


def test_a_failed_write_leaves_the_old_report(place, monkeypatch):
    """The file is replaced in one step or not at all, and no draft stays."""
    Path("report.json").write_text(json.dumps(BASE), encoding="utf-8")
    read = Report.read(Path("report.json"))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        read.write(Path("report.json"))
    assert Report.read(Path("report.json")).complete
    assert sorted(p.name for p in place.iterdir()) == ["old.json", "report.json"]
