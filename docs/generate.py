"""Write the pages that are generated from the code.

Usage: python docs/generate.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from matrix_page import matrix_page

from conformance.requirements import REQUIREMENTS, TRANSFORMS, Requirement, families

HERE = Path(__file__).parent

_HEAD = """# Requirements

Generated from `conformance/requirements` by `python docs/generate.py`; edit there.

The normative text of the suite. Ids never change their meaning; a stricter reading gets a new
id. "Equal" means: within the error bound (see [error bounds](error-bounds.md)). "Identical"
means the same dtype and the same values.

Letters: `x` is `(N, D)`; μ and v are the mean and the *biased* variance of the batch over axis 0;
z = (x−μ)/√(v+ε); γ and β are gamma and beta; rm and rv are the running mean and variance, a
prime marks their value after the call; m is momentum, the weight of the *old* value.

*Needs* is what an implementation has to offer for the row to apply: a `layer`, a `forward`
function, a layer that is an `nnx` module, a layer that JAX can differentiate (`grad`), an NNX
module that it can (`nnx grad`), a layer under `transforms`, which is an NNX module or a pure
function of its arrays, or such a one that JAX can differentiate (`transforms grad`). A jit, a map,
a scan or rematerialisation is that of NNX for a module, and that of JAX for a pure function.
Where it does not, the verdict is `unsupported`, never `conforms`.
"""

_TRANSFORMS = """## Transforms

Under which transforms of NNX and JAX the layer is called. The JSON report has this matrix with
the outcomes, as `transforms`; all other requirements call the layer eagerly. The names are those
for modules: for a pure layer `nnx.jit` stands for `jax.jit`, `nnx.vmap` for `jax.vmap`, `nnx.scan`
for `jax.lax.scan`, and `nnx.remat` with `nnx.grad` for `jax.checkpoint` with `jax.grad`.
"""


def requirement_page() -> str:
    """Return the requirement table as Markdown."""
    parts = [_HEAD]
    for family in families():
        parts.append(f"## {family}\n\n| id | level | needs | statement | source |")
        parts.append("|---|---|---|---|---|")
        parts += [_row(row) for row in REQUIREMENTS.values() if row.family == family]
        parts.append("")
    return "\n".join([*parts, _TRANSFORMS, *_transforms()]) + "\n"


def _transforms() -> list[str]:
    """Return the matrix transform × requirement, as far as it is not empty."""
    under = [row for row in REQUIREMENTS.values() if row.transforms]
    named = [row.id.removeprefix("BN-") for row in under]
    lines = [
        "| requirement | " + " | ".join(TRANSFORMS) + " |",
        "|---" * (len(TRANSFORMS) + 1) + "|",
    ]
    for name, row in zip(named, under, strict=True):
        marks = ("●" if transform in row.transforms else "" for transform in TRANSFORMS)
        lines.append(f"| {name} | " + " | ".join(marks) + " |")
    return lines


def _row(row: Requirement) -> str:
    formula = f" `{row.formula}`" if row.formula else ""
    cells = (row.id, row.level.value.upper(), row.needs.value, row.statement + formula, row.source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


PAGES = {"requirements.md": requirement_page, "kill-matrix.md": matrix_page}


def main() -> None:
    """Write the pages, or with --check say which are out of date."""
    stale = []
    for name, page in PAGES.items():
        path, text = HERE / name, page()
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python docs/generate.py")


if __name__ == "__main__":
    main()
