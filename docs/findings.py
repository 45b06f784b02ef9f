"""Write docs/findings.md from JSON reports on the layers of other frameworks.

Usage: python docs/findings.py DIR           from the reports in DIR, one NAME.json each
       python docs/findings.py --judge DIR   judge every framework first; missing ones are skipped
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from conformance.adapters import peers
from conformance.implementation import AdapterError, Implementation
from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS, Capability
from conformance.verdict import Outcome, Verdict, Violation

HERE = Path(__file__).parent
MADE = {
    "linen": peers.linen,
    "equinox": peers.equinox,
    "equinox-ema": peers.equinox_ema,
    "haiku": peers.haiku,
    "keras": peers.keras,
    "torch-1d": peers.torch_1d,
    "torch-2d": peers.torch_2d,
    "mlx": peers.mlx,
    "onnx": peers.onnx,
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

What the suite says about Batch Normalization as other frameworks ship it. ● conforms, ◐ deviates
as the adapter declares, ✗ violates; an empty cell does not apply. A violation is one of the
requirements of this suite, which are those of `flax.nnx`: where a framework documents another
convention, that is said. Each cause was reproduced by its script, which needs only the framework;
a violation is put down to a cause by what it shows: NaN, momentum 1, a fresh layer. Each
implementation was judged with `--max-time 35`, so that conforming rests on fewer cases here than
in a default run.

The reports are older than the declarations of zero-debiased statistics and of a first batch that
replaces them. Haiku and Equinox were judged without these here, so the causes that are about a
fresh layer or about momentum 1 in these two rest on a convention that is declared now, and are
withdrawn until they are judged again.

A layer of Equinox (mode="ema") or Haiku knows whether it is fresh, which its four arrays do not
tell: into another layer they are written as those of a layer that has seen many batches. So a
requirement that compares a fresh layer with such a copy (BN-TRAIN-3 and BN-IND-1 among them) is
violated by how these layers start, not by what it is about. That is why causes count here, and not
the number of requirements.
"""


def _not_a_number(violation: Violation) -> bool:
    return violation.finding.got in {"nan", "inf", "-inf"}


def _momentum_one(violation: Violation) -> bool:
    compared = str(violation.finding.expected).startswith("nan")  # with momentum 1, by BN-INIT-7
    return compared or (violation.inputs.get("momentum") == 1 and _not_a_number(violation))


def _unclipped(violation: Violation) -> bool:
    return _not_a_number(violation) and not _momentum_one(violation)


def _fresh(violation: Violation) -> bool:
    """Tell whether the counterexample starts from a layer as constructed, and gives numbers."""
    written = {"gamma", "beta", "running_mean", "running_var"} & violation.inputs.keys()
    odd = _not_a_number(violation) or _momentum_one(violation)
    return not written and not odd


def _second_case_written(violation: Violation) -> bool:
    """BN-NUM-3 draws two cases and shows the state of the second; the first one failed."""
    return "replacement" in violation.inputs and not _not_a_number(violation)


class Cause(NamedTuple):
    """Why requirements are violated, shown by the script of that name."""

    implementation: str
    script: str
    documented: str
    shows: Callable[[Violation], bool]

    def explains(self, verdict: Verdict) -> bool:
        """Tell whether a violation is one of this cause."""
        if verdict.violation is None or verdict.implementation != self.implementation:
            return False
        if self.shows is _fresh and verdict.requirement == "BN-NUM-3":
            return _second_case_written(verdict.violation)
        return self.shows(verdict.violation)


CAUSES = (
    Cause("haiku", "haiku-nan", "no", _unclipped),
    Cause(
        "haiku",
        "haiku-decay-one",
        "by `ExponentialMovingAverage`, whose decay is in [0, 1); not by `BatchNorm`",
        _momentum_one,
    ),
    Cause(
        "haiku",
        "haiku-fresh",
        "by `ExponentialMovingAverage`, which follows Adam's debiasing",
        _fresh,
    ),
    Cause(
        "equinox",
        "equinox-early-variance",
        'no; running statistics "in line with" PyTorch, flax and Haiku are promised',
        _fresh,
    ),
    Cause(
        "equinox",
        "equinox-momentum-one",
        "yes: momentum is to be between 0 and 1, exclusive",
        _momentum_one,
    ),
    Cause(
        "equinox-ema",
        "equinox-ema-fresh",
        "that the first batches fill the statistics in, yes; what evaluation gives before, no",
        _fresh,
    ),
)


def page(reports: dict[str, Report]) -> str:
    """Return the page on the given reports."""
    parts = [_HEAD, *_versions(reports), "## What was found\n", *_summary(reports)]
    for cause in CAUSES:
        parts += _finding(cause, reports)
    return "\n".join([*parts, "## All requirements\n", *_matrix(reports)]) + "\n"


def untraced(reports: dict[str, Report]) -> list[str]:
    """Return the violations that nobody has traced to a cause."""
    return [
        f"{name} {verdict.requirement}"
        for name, report in reports.items()
        for verdict in report.verdicts
        if verdict.outcome.bad and not any(cause.explains(verdict) for cause in CAUSES)
    ]


def _versions(reports: dict[str, Report]) -> list[str]:
    distributions = {
        "haiku": "dm-haiku",
        "torch-1d": "torch",
        "torch-2d": "torch",
        "linen": "flax",
        "equinox-ema": "equinox",
    }
    from importlib.metadata import version  # noqa: PLC0415  where the frameworks are installed

    names = dict.fromkeys(distributions.get(name, name) for name in (*reports, "jax"))
    return ["Versions: " + ", ".join(f"{name} {version(name)}" for name in names) + ".\n"]


def _summary(reports: dict[str, Report]) -> list[str]:
    lines = [
        "| implementation | what it is | conforms | deviates | violates | declared |",
        "|---|---|---|---|---|---|",
    ]
    for name, report in reports.items():
        made: Implementation = MADE[name]()
        count = report.counts()
        declared = ", ".join(sorted(d.name for d in made.deviations))
        cells = (count[outcome] for outcome in ("conforms", "deviates", "violates"))
        lines.append(f"| {name} | {made.kind} | {' | '.join(map(str, cells))} | {declared} |")
    return [*lines, ""]


def _finding(cause: Cause, reports: dict[str, Report]) -> list[str]:
    report = reports.get(cause.implementation)
    shown = [v for v in report.verdicts if cause.explains(v)] if report else []
    if not shown:
        return []
    script = (HERE / "findings" / f"{cause.script}.py").read_text()
    title, _, code = script.removeprefix('"""').partition('"""')
    done = subprocess.run(
        [sys.executable, HERE / "findings" / f"{cause.script}.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        f"### {title.strip()}\n",
        f"Documented by its authors: {cause.documented}.\n",
        *(_observed(verdict) for verdict in shown),
        f"\n```python\n{code.strip()}\n```\n",
        f"prints\n\n```\n{done.stdout.strip()}\n```\n",
    ]


def _observed(verdict: Verdict) -> str:
    assert verdict.violation is not None, "a violation"  # noqa: S101
    return f"- `{verdict.requirement}` {verdict.violation.finding.sentence()}"


def _matrix(reports: dict[str, Report]) -> list[str]:
    lines = ["| requirement | " + " | ".join(reports) + " |", "|---" * (len(reports) + 1) + "|"]
    by_name = {n: {v.requirement: v for v in r.verdicts} for n, r in reports.items()}
    judged = (Capability.LAYER, Capability.GRAD)
    for row in (row for row in REQUIREMENTS.values() if row.needs in judged):
        marks: list[Any] = [_MARKS[by_name[name][row.id].outcome] for name in reports]
        lines.append(f"| {row.id} | " + " | ".join(marks) + " |")
    return lines


def judge(folder: Path) -> None:
    """Judge every framework that is installed, one report each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in MADE.items():
        try:
            made()
        except AdapterError as error:
            print(error)
            continue
        command = [sys.executable, "-m", "conformance", "run", name]
        command += ["--max-time", "60", "--report", str(folder / f"{name}.json")]
        subprocess.run(command, check=False)  # a violation is a result


def main(arguments: list[str]) -> int:
    """Judge if asked to, and write the page; 1 if a violation has not been traced."""
    if arguments[:1] == ["--judge"]:
        arguments = arguments[1:]
        judge(Path(arguments[0]))
    folder = Path(arguments[0])
    present = [name for name in MADE if (folder / f"{name}.json").is_file()]
    reports = {name: Report.read(folder / f"{name}.json") for name in present}
    (HERE / "findings.md").write_text(page(reports), encoding="utf-8")
    missing = untraced(reports)
    print(f"wrote docs/findings.md; not traced: {', '.join(missing) or 'none'}")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
