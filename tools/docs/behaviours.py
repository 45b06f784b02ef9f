"""Observes what implementations do where a MAY row leaves them free.

Usage: python tools/docs/behaviours.py            observe every layer whose framework is installed
       python tools/docs/behaviours.py FILE.json  use a report of `conformance run --level may`

Writes docs/data/behaviours.json; `generate.py` makes docs/behaviours.md of it. Install all the
frameworks of `tox -e peers` first: those that are missing will be missing from the page.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome

DATA = Path(__file__).parents[2] / "docs" / "data" / "behaviours.json"
NAMES = (
    *("impl", "variant:wide", "flax", "linen", "equinox", "equinox-ema", "haiku", "keras"),
    *("torch-1d", "torch-2d", "mlx", "onnx"),
)
DISTRIBUTIONS = ("jax", "flax", "equinox", "dm-haiku", "keras", "torch", "mlx", "onnx")

_HEAD = """# Behaviours: what layers do where they may choose

Generated from `docs/data/behaviours.json` by `python tools/docs/generate.py`; do not edit.

The requirements leave some inputs and settings open: empty batches, integer inputs, ε = 0, flags
that are NaN and others. Each is a row of the [table of requirements](requirements.md) with the
level MAY. What an implementation does there is observed, and not judged: no answer is better than
another, and none counts in a score or an exit code. To see what your own layer does, alone or
beside others:

```console
$ conformance run my_norm.py:MyBatchNorm flax --level may
$ conformance run my_norm.py:MyBatchNorm -k BN-SHAPE-4,BN-EPS-2
```

A run without `--level may` observes those rows only that `-k` names by their ids. Observations are
made in worker processes, so a crash or a hang of the layer is an answer, too. The layers have three
features, momentum 0.75 and ε = 1e-3; a forward function has those that it is defined with. Keras,
Haiku, PyTorch, MLX and ONNX take a training flag instead of `use_running_average`, which their
adapters negate; for these, an answer about a flag of NaN or .3 describes the negated flag.
"""


def observe() -> Report:
    """Observe every implementation that can be built here."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        options = ["--level", "may", "--report", str(file)]
        subprocess.run([sys.executable, "-m", "conformance", "run", *NAMES, *options], check=False)
        return Report.read(file)


def data_of(report: Report) -> dict[str, Any]:
    """Return the answers by row, each with the implementations that give it, and the versions."""
    there = {v.implementation for v in report.verdicts if v.outcome is not Outcome.ERRORED}
    print("left out:", ", ".join(set(report.header.implementations) - there) or "none")
    found = replace(report, verdicts=[v for v in report.verdicts if v.implementation in there])
    versions = {name: version(name) for name in DISTRIBUTIONS}
    return {"versions": versions, "observed": found.observations()}


def page(data: dict[str, Any]) -> str:
    """Return the page: a table per row, in which equal answers share a line."""
    versions = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    parts = [_HEAD, f"Versions: {versions}.", ""]
    for identity, answers in data["observed"].items():
        row = REQUIREMENTS[identity]
        formula = f" `{row.formula}`" if row.formula else ""
        parts += [f"## {identity}", "", row.statement + formula, ""]
        parts += ["| implementations | observed |", "|---|---|"]
        parts += [f"| {', '.join(names)} | {_cell(text)} |" for text, names in answers.items()]
        parts.append("")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main(arguments: list[str]) -> None:
    """Write the data."""
    report = Report.read(Path(arguments[0])) if arguments else observe()
    text = json.dumps(data_of(report), ensure_ascii=False, indent=1)
    DATA.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {DATA.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
