"""Malformed input: one clear error each, exit code 2, no traceback, nothing overwritten."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.ledger import Ledger, Plan
from conformance.profiles import Budget
from conformance.report.model import Report, ReportError
from conformance.requirements import REQUIREMENTS
from conformance.verdict import Outcome, Verdict

# Options of the command line. Each has to be refused before anything is judged.

OPTIONS = [
    (["run", "-k", "BN-EMQ-1"], "no requirement matches 'BN-EMQ-1'"),
    (["run", "-k", ""], "the filter '' is empty"),
    (["run", "-k", " , "], "the filter ' , ' is empty"),
    (["run", "-k", "EMA,NOPE"], "no requirement matches 'NOPE'"),
    (["run", "-k", "[["], "no requirement matches '[['"),
    (["run", "-k", "ÉMA-\N{SUPERSCRIPT ONE}"], "no requirement matches"),
    (["run", "-k", "\x1b[2J"], r"no requirement matches '\x1b[2J'"),
    (["run", "-k", "EMA", "--level", "should"], "has no requirement of level should"),
    (["run", "--level", "may"], "'may' is not one of 'must', 'should'"),
    (["run", "--seed", "-1"], "-1 is not in the range x>=0"),
    (["run", "--seed", "1.5"], "'1.5' is not a valid integer"),
    (["run", "-j", "0"], "--jobs '0': expected a number of processes"),
    (["run", "-j", "-2"], "--jobs '-2': expected a number of processes"),
    (["run", "-j", "²"], "--jobs '²': expected a number of processes"),
    (["run", "--max-time", "0"], "0.0 is not in the range x>0"),
    (["run", "--max-time", "nan"], "--max-time nan: expected a number of seconds"),
    (["run", "--max-time", "soon"], "'soon' is not a valid float"),
    (["run", "--call-timeout", "0"], "0.0 is not in the range"),
    (["run", "--call-timeout", "nan"], "--call-timeout nan: expected a number of seconds"),
    (["run", "--call-timeout", "1e9"], "is not in the range"),
    (["run", "--memory-limit", "1"], "1.0 is not in the range"),
    (["run", "--memory-limit", "nan"], "--memory-limit nan: expected a number of GiB"),
    (["run", "--max-examples", "0"], "0 is not in the range x>=1"),
    (["run", "--profile", "slow"], "'slow' is not one of 'quick', 'default', 'thorough'"),
    (["run", "--report", "."], "'.' is a directory"),
    (["run", "--report", "old.json/x/report.json"], "cannot be written: Not a directory"),
    (["run", "--report", "/proc/none/report.json"], "cannot be written: No such file"),
    (["run", "--junit", "a" * 300 + "/x"], "cannot be written: File name too long"),
    (["run", "--report", "x", "--junit", "./x"], "both write x: name two files"),
    (["run", "\udcff.py:norm"], r"'\udcff.py:norm' is no UTF-8"),
    (["run", "--frobnicate"], "No such option"),
    (["explain", ""], "is empty"),
    (["explain", "BN-X"], "no requirement matches 'BN-X'"),
]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one old file in it, which nothing may touch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.json").write_text("{}", encoding="utf-8")
    return tmp_path


def refused(arguments: list[str]) -> str:
    """Return what a command says that has to end with 2, without a traceback."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    assert "\x1b" not in done.output
    said = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1, done.output
    return done.output


@pytest.mark.parametrize(("arguments", "message"), OPTIONS)
def test_options(arguments, message, place):
    """A usage error names the value and the rule, and leaves the directory as it was."""
    assert message in refused(arguments)
    assert [p.name for p in place.iterdir()] == ["old.json"]
    assert (place / "old.json").read_text() == "{}"


# Names of implementations.

FILES = {
    "binary.py": b"\x7fELF\x00\x01\xff",
    "latin.py": "name = 'Größe'\n".encode("latin-1"),
    "syntax.py": b"class Norm(:\n",
    "property.py": b"class A:\n    @property\n    def norm(self):\n        raise OSError('gone')\n"
    b"class B:\n    __slots__ = ()\na, b, n, none = A(), B(), 3, None\n",
}
NAMES = [
    ("", "no implementation is registered as ''"),
    ("imp", "no implementation is registered as 'imp'. Did you mean 'impl'?"),
    (":", "':' is no name: expected module:attribute"),
    ("a:", "'a:' is no name"),
    (":b", "':b' is no name"),
    ("a:b c", "'a:b c' is no name"),
    ("..a:b", "module '..a' cannot be imported"),
    ("nowhere:norm", "module 'nowhere' cannot be imported: ModuleNotFoundError"),
    ("missing.py:norm", "there is no file 'missing.py'"),
    ("directory.py:norm", "there is no file 'directory.py'"),
    ("x\0y.py:norm", "null byte"),
    ("a" * 5000 + ".py:norm", "File name too long"),
    ("binary.py:norm", "file 'binary.py' cannot be imported"),
    ("latin.py:norm", "file 'latin.py' cannot be imported"),
    ("syntax.py:norm", "file 'syntax.py' cannot be imported: SyntaxError"),
    ("property.py:a.norm", "attribute 'norm' of file 'property.py' cannot be read: OSError: gone"),
    ("property.py:b.norm", "file 'property.py' has no attribute 'norm'"),
    ("property.py:n", "property.py:n is an int"),
    ("property.py:none", "property.py:none is a NoneType"),
    ("builtins:getattr", "builtins:getattr"),
    ("fault:none-such", "none is named 'none-such'"),
]


@pytest.mark.parametrize(("name", "message"), NAMES, ids=[repr(n[:12]) for n, _ in NAMES])
def test_names(name, message, place):
    """A name that leads to nothing that can be judged is refused in one sentence."""
    for file, content in FILES.items():
        (place / file).write_bytes(content)
    (place / "directory.py").mkdir()
    assert message in refused(["smoke", "--", name])


# Reports.


def report() -> dict[str, Any]:
    """Return a small report as JSON values."""
    rows = tuple(list(REQUIREMENTS.values())[:2])
    ledger = Ledger(Plan(implementations=("impl",), requirements=rows, budget=Budget()))
    ledger.expect_everything()
    for row in rows:
        ledger.note(
            Verdict(
                requirement=row.id,
                implementation="impl",
                kind="",
                outcome=Outcome.CONFORMS,
                level="must",
                cases=1,
                comparisons=1,
            )
        )
    return ledger.report(0).to_json()


def edited(*path: Any, value: Any) -> Callable[[], str]:
    """Return a report in which one value is another."""

    def make() -> str:
        data = copy.deepcopy(report())
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return json.dumps(data)

    return make


def without(key: str) -> Callable[[], str]:
    """Return a report that lacks a part."""
    return lambda: json.dumps({k: v for k, v in report().items() if k != key})


def doubled() -> str:
    """Return a report with one verdict twice, and a footer that says so."""
    data = report()
    data["verdicts"].append(data["verdicts"][0])
    data["footer"] |= {"verdicts": 3, "expected": 3}
    return json.dumps(data)


REPORTS: dict[str, tuple[Callable[[], str | bytes], str]] = {
    "empty": (lambda: "", "is no report"),
    "text": (lambda: "hello", "is no report"),
    "binary": (lambda: b"\xff\xfe\x00", "is no report"),
    "list": (lambda: "[]", "format None"),
    "null": (lambda: "null", "format None"),
    "another format": (lambda: '{"format": "junit", "version": 1}', "format 'junit'"),
    "future": (edited("version", value=99), "version 99; this suite reads 1"),
    "version as text": (edited("version", value="1"), "version '1'"),
    "version true": (edited("version", value=True), "version True"),
    "huge version": (edited("version", value="9" * 10_000), "this suite reads 1"),
    "truncated": (lambda: json.dumps(report())[:-40], "is no report"),
    "trailing": (lambda: json.dumps(report()) + "}", "is no report"),
    "nested": (lambda: "[" * 200_000, "is no report: RecursionError"),
    "nested inputs": (
        lambda: json.dumps(report()).replace('["impl"]', "[" * 400 + "]" * 400, 1),
        "$.header.implementations[0]: ",
    ),
    "NaN": (edited("footer", "seconds", value=float("nan")), "NaN is no JSON"),
    "Infinity": (edited("footer", "seconds", value=float("inf")), "Infinity is no JSON"),
    "twice": (lambda: json.dumps(report())[:-1] + ', "version": 1}', "'version' is there twice"),
    "no footer": (without("footer"), "'footer' is a required property"),
    "no header": (without("header"), "'header' is a required property"),
    "unknown part": (edited("extra", value=1), "'extra' was unexpected"),
    "verdicts as text": (edited("verdicts", value="all fine"), "is not of type 'array'"),
    "negative cases": (edited("verdicts", 0, "cases", value=-1), "less than the minimum of 0"),
    "cases as text": (edited("verdicts", 0, "cases", value="1"), "is not of type 'integer'"),
    "wrong id": (edited("verdicts", 0, "requirement", value="../etc"), "does not match"),
    "wrong outcome": (edited("verdicts", 0, "outcome", value="perfect"), "is not one of"),
    "no violation": (edited("verdicts", 0, "outcome", value="violates"), "without the violation"),
    "cut": (edited("verdicts", value=[]), "0 verdicts, where the footer counts 2"),
    "said complete": (edited("footer", "missing", value=["BN-EMA-1[impl]"]), "contradicts itself"),
    "doubled": (doubled, "two verdicts on BN-"),
    "escapes": (edited("format", value="\x1b[2J\x07"), r"format '\x1b[2J\x07'"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_reports(name, place):
    """A report that is none is refused in one printable line that names the file."""
    make, message = REPORTS[name]
    content = make()
    path = place / "report.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ReportError) as refusal:
        Report.read(path)
    said = str(refusal.value)
    assert message in said
    assert str(path) in said
    assert len(said.splitlines()) == 1
    assert len(said) < 600
    assert said.isprintable()


def test_no_file_and_a_directory_are_no_reports(place):
    """What cannot be opened is told by its name."""
    for path in (place / "none.json", place):
        with pytest.raises(ReportError, match="is no report"):
            Report.read(path)


def test_a_huge_file_is_not_read(place):
    """A file larger than any report is refused before its bytes are in memory."""
    with (place / "huge.json").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(ReportError, match="are more than the"):
        Report.read(place / "huge.json")


def test_the_report_that_all_are_made_from_is_read():
    """The cases above fail for what was changed in them, and for nothing else."""
    Path("report.json").write_text(json.dumps(report()), encoding="utf-8")
    assert Report.read(Path("report.json")).complete


def test_a_failed_write_leaves_the_old_report(place, monkeypatch):
    """The file is replaced in one step or not at all, and no draft stays."""
    Path("report.json").write_text(json.dumps(report()), encoding="utf-8")
    read = Report.read(Path("report.json"))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        read.write(Path("report.json"))
    assert Report.read(Path("report.json")).complete
    assert sorted(p.name for p in place.iterdir()) == ["old.json", "report.json"]
