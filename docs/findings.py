"""Write docs/findings.md from JSON reports on the layers of other frameworks.

Usage: python docs/findings.py DIR [DIR...]  from the reports there, one NAME.json each
       python docs/findings.py --judge DIR   judge every framework first; missing ones are skipped

A report in a later folder replaces the verdicts of the requirements that it judged.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import mended
from causes import CAUSES, Cause

import impl
from conformance.adapters import peers
from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome, Verdict

HERE = Path(__file__).parent


class Peer(NamedTuple):
    """What is judged: an implementation, the distribution behind it, and how."""

    made: Callable[[], Implementation]
    entry: str
    distribution: str
    strictly: bool = False
    only: str = ""


MADE = {
    "flax-default": Peer(impl.flax_default, "flax-default", "flax"),
    "flax-default, strictly": Peer(impl.flax_default, "flax-default", "flax", strictly=True),
    "flax-wide": Peer(impl.flax_wide, "flax-wide", "flax"),
    "linen": Peer(peers.linen, "linen", "flax"),
    "linen-wide": Peer(peers.linen_wide, "linen-wide", "flax"),
    "equinox": Peer(peers.equinox, "equinox", "equinox"),
    "equinox-ema": Peer(peers.equinox_ema, "equinox-ema", "equinox"),
    "equinox-wide": Peer(peers.equinox_wide, "equinox-wide", "equinox"),
    "equinox-ema-wide": Peer(peers.equinox_ema_wide, "equinox-ema-wide", "equinox"),
    "haiku": Peer(peers.haiku, "haiku", "dm-haiku"),
    "haiku-wide": Peer(peers.haiku_wide, "haiku-wide", "dm-haiku"),
    "keras": Peer(peers.keras, "keras", "keras"),
    "keras-wide": Peer(peers.keras_wide, "keras-wide", "keras"),
    "keras-wide, mended": Peer(
        mended.keras_wide, f"{HERE / 'mended.py'}:keras_wide", "keras", only="MASK"
    ),
    "torch-1d": Peer(peers.torch_1d, "torch-1d", "torch"),
    "torch-2d": Peer(peers.torch_2d, "torch-2d", "torch"),
    "mlx": Peer(peers.mlx, "mlx", "mlx"),
    "onnx": Peer(peers.onnx, "onnx", "onnx"),
}
_MARKS = {
    Outcome.CONFORMS: "●",
    Outcome.DEVIATES: "◐",
    Outcome.VIOLATES: "✗",
    Outcome.UNSUPPORTED: "",
    Outcome.VACUOUS: "vacuous",
    Outcome.ERRORED: "errored",
}
_HEAD = """# Findings

Generated from the JSON reports of `conformance run` by `python docs/findings.py`; edit there. How
to get them: `tox -e peers`.

What the suite says about Batch Normalization as the frameworks ship it. ● conforms, ◐ deviates
as the adapter declares, ✗ violates; an empty cell does not apply. A violation is one of the
requirements of this suite: where a framework documents another convention, that is said. Each
implementation was judged in the default profile, without a limit of time. Each cause was
reproduced by hand with its script, which needs only the framework; a violation is put down to a
cause by what it shows, and the page is not finished while one is put down to none.

A layer that declares its domain or a convention is judged by that: `-wide` declares masks, feature
axes, dtypes and, for flax, named axes. `flax-default` declares its one-pass variance; read
strictly (`--ignore-declarations`) it shows what that costs. With a mask on a single feature Keras
raises, and such cases are found first: `mended` is Keras' layer where a single feature is answered
by one of two (docs/mended.py), judged on masks alone.

Equinox with mode="ema" starts its running statistics from 0 and 0, where evaluation before the
first batch uses them. The requirements that meet such a layer are violated by that alone, so causes
count here, and not the number of requirements.
"""


_PUT_TOGETHER = """The verdicts are put together from {} runs: what a later version of the suite
added was judged by itself.
"""


def page(reports: dict[str, Report], runs: int = 1) -> str:
    """Return the page on the given reports, which are from one run or put together from more."""
    parts = [_HEAD, *([_PUT_TOGETHER.format(runs)] * (runs > 1)), *_versions(reports)]
    parts += ["## What was found\n", *_summary(reports)]
    for cause in CAUSES:
        parts += _finding(cause, reports)
    return "\n".join([*parts, "## All requirements\n", *_matrix(reports)]) + "\n"


def _violations(reports: dict[str, Report]) -> list[tuple[str, Verdict]]:
    return [
        (name, verdict)
        for name, report in reports.items()
        for verdict in report.verdicts
        if verdict.outcome.bad
    ]


def _cause(name: str, verdict: Verdict, reports: dict[str, Report]) -> Cause | None:
    """Return the first cause that explains a violation."""
    for cause in CAUSES:
        if cause.explains(name, verdict) and not _violated(cause.declared, verdict, reports):
            return cause
    return None


def _violated(name: str, verdict: Verdict, reports: dict[str, Report]) -> bool:
    """Tell whether the layer violates the same requirement when judged under another name."""
    return bool(name) and any(
        other.outcome.bad
        for other in reports[name].verdicts
        if other.requirement == verdict.requirement
    )


def untraced(reports: dict[str, Report]) -> list[str]:
    """Return the violations that nobody has traced to a cause."""
    return [
        f"{name} {verdict.requirement}"
        for name, verdict in _violations(reports)
        if _cause(name, verdict, reports) is None
    ]


def _versions(reports: dict[str, Report]) -> list[str]:
    names = dict.fromkeys([*(MADE[name].distribution for name in reports), "jax"])
    return ["Versions: " + ", ".join(f"{name} {version(name)}" for name in names) + ".\n"]


def _summary(reports: dict[str, Report]) -> list[str]:
    lines = [
        "| implementation | what it is | conforms | deviates | violates | declared |",
        "|---|---|---|---|---|---|",
    ]
    for name, report in reports.items():
        made = MADE[name].made().read(strictly=MADE[name].strictly)
        count = report.counts()
        declared = ", ".join(sorted(d.name for d in made.deviations))
        cells = (count[outcome] for outcome in ("conforms", "deviates", "violates"))
        lines.append(f"| {name} | {made.kind} | {' | '.join(map(str, cells))} | {declared} |")
    return [*lines, ""]


def _finding(cause: Cause, reports: dict[str, Report]) -> list[str]:
    shown = [(n, v) for n, v in _violations(reports) if _cause(n, v, reports) is cause]
    if not shown:
        return []
    observed = [
        f"Documented by its authors: {cause.documented}.\n",
        *(_observed(name, verdict) for name, verdict in shown),
        "",
    ]
    return _reproduced(cause.script, observed)


def _reproduced(name: str, observed: list[str]) -> list[str]:
    """Return the title of a script, what was observed of its cause, the script and its output."""
    script = HERE / "findings" / f"{name}.py"
    title, _, code = script.read_text().removeprefix('"""').partition('"""')
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script], capture_output=True, text=True, check=True
    )
    heading, *rest = title.strip().split("\n\n")
    return [
        f"### {_one_line(heading)}\n",
        *(f"{_one_line(paragraph)}\n" for paragraph in rest),
        *observed,
        f"```python\n{code.strip()}\n```\n",
        f"prints\n\n```\n{done.stdout.strip()}\n```\n",
    ]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _observed(name: str, verdict: Verdict) -> str:
    assert verdict.violation is not None, "a violation"  # noqa: S101
    return f"- {name} `{verdict.requirement}` {verdict.violation.finding.sentence()}"


def _matrix(reports: dict[str, Report]) -> list[str]:
    lines = ["| requirement | " + " | ".join(reports) + " |", "|---" * (len(reports) + 1) + "|"]
    by_name = {n: {v.requirement: v for v in r.verdicts} for n, r in reports.items()}
    for row in REQUIREMENTS:
        read = [by_name[name].get(row) for name in reports]
        marks = [_MARKS[verdict.outcome] if verdict else "" for verdict in read]
        if any(marks):
            lines.append(f"| {row} | " + " | ".join(marks) + " |")
    return lines


def judge(folder: Path) -> None:
    """Judge every framework that is installed, one report each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, peer in MADE.items():
        try:
            peer.made()
        except AdapterError as error:
            print(error)
            continue
        command = [sys.executable, "-m", "conformance", "run", peer.entry]
        command += ["--ignore-declarations"] * peer.strictly + ["-k", peer.only] * bool(peer.only)
        command += ["--report", str(folder / f"{name}.json")]
        started = time.perf_counter()
        subprocess.run(command, check=False)  # a violation is a result
        print(f"{name}: {time.perf_counter() - started:.0f} s")


def _read(name: str, folders: list[Path]) -> Report:
    """Return the report on an implementation, with the last verdict on each requirement."""
    read = [Report.read(folder / f"{name}.json") for folder in folders]
    last = {verdict.requirement: verdict for report in read for verdict in report.verdicts}
    return replace(read[0], verdicts=[last[row] for row in REQUIREMENTS if row in last])


def main(arguments: list[str]) -> int:
    """Judge if asked to, and write the page; 1 if a violation has not been traced."""
    if arguments[:1] == ["--judge"]:
        arguments = arguments[1:]
        judge(Path(arguments[0]))
    folders = [Path(argument) for argument in arguments]
    found = {name: [f for f in folders if (f / f"{name}.json").is_file()] for name in MADE}
    reports = {name: _read(name, of) for name, of in found.items() if of}
    (HERE / "findings.md").write_text(page(reports, len(folders)), encoding="utf-8")
    missing = untraced(reports)
    print(f"wrote docs/findings.md; not traced: {', '.join(missing) or 'none'}")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
