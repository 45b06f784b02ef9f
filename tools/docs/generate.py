"""Writes the generated pages, and the figures in README and docs.

Usage: python tools/docs/generate.py [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import api
import behaviours
import cause_page
import evidence
import figures
import findings_page
import history
import operations

from conformance.requirements import REQUIREMENTS, TRANSFORMS, Requirement, families

ROOT = figures.ROOT
DOCS = ROOT / "docs"

_HEAD = """# Requirements

Generated from `conformance/requirements` by `python tools/docs/generate.py`; do not edit.

The normative text of the suite: <!--requirements-->?<!--/--> requirements, <!--must-->?<!--/-->
of them MUST and <!--should-->?<!--/--> SHOULD, as the newest [edition](editions.md) has them. The
meaning of an id never changes; a stricter reading gets a new id. "Equal" means within the error
bound (see [error bounds](error-bounds.md)). "Identical" means the same dtype and the same values.
The <!--may-->?<!--/--> rows of the level MAY leave something open: what a layer does there is
[observed](behaviours.md), and not judged.

The documentation site has a page for each requirement, with its reason, the mistakes that violate
it, an example that fails, and its history; `conformance explain ID` prints its address.

## Notation

`x` has shape `(N, D)`; μ and v are the mean and the *biased* variance of the batch over
axis 0; z = (x−μ)/√(v+ε); γ and β are gamma and beta; rm and rv are the running mean and variance;
a prime marks a value after the call; m is momentum, the weight of the *old* value; w is the
cotangent of y.

## Grounds

*Grounds* says what demands a MUST: the problem that the suite was written for, read literally, or
plain mathematics; in the extended domain, what the layer itself declares. A layer that does
otherwise without contradicting either of them violates a SHOULD at most, whose grounds say what is
left open, as those of a MAY do.

## Needs

*Needs* is the capability that an implementation must offer for the requirement to apply. Without
it the verdict is `unsupported`, never `conforms`.

† rests on facts that only the process of the layer can observe; see [trust](trust.md).

- `layer`: a layer with the four arrays that can be built, called, read and written.
- `forward`: a function `f(seed, x, use_running_average)`.
- `nnx`: a layer that is a `flax.nnx.Module`.
- `grad`, `nnx grad`: a layer, or an NNX module, that can be differentiated in reverse mode.
- `forward mode`, `forward over reverse`, `second derivatives`: a layer whose calls can be
  differentiated in forward mode, and whose gradients can be, in forward and in reverse mode.
- `transforms`, `transforms grad`: a layer that JAX can transform (and differentiate): an NNX
  module, under the transforms of NNX, or a pure function of its arrays, under those of JAX.
- `ndim`, `mask`, `dtypes`, `dtypes grad`, `x64`, `sync`, `masked sync`: the part of the
  [extended domain](writing-an-adapter.md#extended-domain) that the implementation declares.
"""

_TRANSFORMS = """## Transforms

The transforms of NNX and JAX under which each requirement calls the layer; all other requirements
call it eagerly. The JSON report contains this matrix with the outcomes, as `transforms`. Where a
column names two transforms, the first applies to modules and the second to pure functions.
"""


def requirement_page() -> str:
    """Return the requirement tables as Markdown."""
    parts = [_HEAD]
    for family in families():
        parts.append(f"## {family}\n\n| id | level | needs | statement | grounds | source |")
        parts.append("|---|---|---|---|---|---|")
        parts += [_row(row) for row in REQUIREMENTS.values() if row.family == family]
        parts.append("")
    return "\n".join([*parts, _TRANSFORMS, *_transforms()]) + "\n"


def _transforms() -> list[str]:
    """Return the matrix of requirements by transforms, without empty rows."""
    lines = [
        "| requirement | " + " | ".join(TRANSFORMS) + " |",
        "|---" * (len(TRANSFORMS) + 1) + "|",
    ]
    for row in REQUIREMENTS.values():
        if row.transforms:
            marks = ("●" if transform in row.transforms else "" for transform in TRANSFORMS)
            lines.append(f"| {row.id.removeprefix('BN-')} | " + " | ".join(marks) + " |")
    return lines


def _row(row: Requirement) -> str:
    formula = f" `{row.formula}`" if row.formula else ""
    mark = " †" if row.on_word else ""
    cells = (
        row.id + mark,
        row.level.value.upper(),
        row.needs.value,
        row.statement + formula,
        row.grounds,
        row.source,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _data(name: str) -> Any:
    return json.loads((DOCS / "data" / name).read_text(encoding="utf-8"))


def _findings() -> dict[Path, str]:
    """Return the page of findings, and that of each cause that occurs."""
    now, before = _data("findings.json"), _data("findings-before.json")
    shown, past = _data("demonstrations.json"), _data("history.json")
    occurring = findings_page.occurring(now)
    if missing := [cause for cause in occurring if cause not in shown]:
        sys.exit(f"not shown yet: run python tools/docs/demonstrate.py {' '.join(missing)}")
    page = findings_page.findings_page(now, before, shown) + history.section(past["judged"])
    return {DOCS / "findings.md": page} | {
        DOCS / "findings" / f"{cause}.md": cause_page.cause_page(
            cause, now, shown[cause], past["causes"].get(cause, {})
        )
        for cause in occurring
    }


def generated() -> dict[Path, str]:
    """Return the text of every file that this tool writes."""
    measured = evidence.entries(figures.read()["measured"])
    table = {"counted": figures.counted(), "measured": measured}
    pages = {
        DOCS / "requirements.md": requirement_page(),
        DOCS / "api.md": api.api_page(),
        DOCS / "operations.md": operations.operations_page(),
        DOCS / "behaviours.md": behaviours.page(_data("behaviours.json")),
        **_findings(),
    }
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))):
        pages.setdefault(path, path.read_text(encoding="utf-8"))
    filled = {path: figures.filled(page, table) for path, page in pages.items()}
    return {figures.FILE: figures.text(table)} | filled


def main() -> None:
    """Write the files, or with ``--check`` report those that are out of date."""
    stale = []
    for path, text in generated().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
    if "--check" not in sys.argv:
        print("\n".join(f"wrote {name}" for name in stale) or "everything was up to date")
    elif stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python tools/docs/generate.py")


if __name__ == "__main__":
    main()
