"""Observes what implementations do where the requirements are silent.

Usage: python tools/docs/behaviours.py            observe every layer whose framework is installed
       python tools/docs/behaviours.py FILE.json  use the output of `conformance behaviours --json`

Writes docs/data/behaviours.json; `generate.py` makes docs/behaviours.md of it. Install all the
frameworks of `tox -e peers` first: those that are missing will be missing from the page.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from conformance.adapters.errors import AdapterError
from conformance.diagnosis.behaviours.behaviour import BEHAVIOURS
from conformance.diagnosis.behaviours.observer import Observer
from conformance.diagnosis.behaviours.tables import document

DATA = Path(__file__).parents[2] / "docs" / "data" / "behaviours.json"
NAMES = (
    *("impl", "wide", "flax", "flax-wide", "linen", "linen-wide"),
    *("equinox", "equinox-ema", "equinox-wide", "equinox-ema-wide", "haiku", "haiku-wide"),
    *("keras", "keras-wide", "torch-1d", "torch-2d", "mlx", "onnx"),
)
DISTRIBUTIONS = ("jax", "flax", "equinox", "dm-haiku", "keras", "torch", "mlx", "onnx")

_HEAD = """# Behaviours: characterization without judgement

Generated from `docs/data/behaviours.json` by `python tools/docs/generate.py`; do not edit.

The requirements are silent about some inputs and settings: empty batches, integer inputs, ε = 0,
second derivatives and others. This page records what implementations do with them (a
*characterization*). Nothing here is judged, and no answer is better than another. To characterize
your own layer:

```console
$ conformance behaviours my_norm.py:MyBatchNorm
```

Each observation is made in a worker process, so the layer may crash or hang. The layers have three
features, momentum 0.75 and ε = 1e-3; a forward function has those that it is defined with. Keras,
Haiku, PyTorch, MLX and ONNX take a training flag instead of `use_running_average`, which their
adapters negate; for these, an answer about a flag of NaN or .3 describes the negated flag.
"""


def observe() -> dict[str, Any]:
    """Observe every implementation that can be built here."""
    found = []
    for name in NAMES:
        observer = Observer(name)
        try:
            observations = list(observer.observations())
        except AdapterError as error:
            print(error)
            continue
        found.append((name, observer.kind, observations))
    return document(found)


def data_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the answers by behaviour and implementation, with the versions observed."""
    answers: dict[str, dict[str, str]] = {name: {} for name in document["behaviours"]}
    for layer in document["implementations"]:
        for each in layer["observations"]:
            text = each["answer"] if each["observed"] else f"not observed: {each['answer']}"
            answers[each["behaviour"]][layer["name"]] = text
    return {"versions": {name: version(name) for name in DISTRIBUTIONS}, "answers": answers}


def page(data: dict[str, Any]) -> str:
    """Return the page: a table per behaviour, in which equal answers share a row."""
    versions = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    parts = [_HEAD, f"Versions: {versions}.", ""]
    for behaviour, of_layer in data["answers"].items():
        parts += [f"## {behaviour}", "", BEHAVIOURS[behaviour].question, ""]
        parts += ["| implementations | observed |", "|---|---|"]
        rows: dict[str, list[str]] = {}
        for name, answer in of_layer.items():
            rows.setdefault(answer, []).append(name)
        parts += [f"| {', '.join(names)} | {_cell(answer)} |" for answer, names in rows.items()]
        parts.append("")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main(arguments: list[str]) -> None:
    """Write the data."""
    found = json.loads(Path(arguments[0]).read_text("utf-8")) if arguments else observe()
    text = json.dumps(data_of(found), ensure_ascii=False, indent=1)
    DATA.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {DATA.name}:", ", ".join(layer["name"] for layer in found["implementations"]))


if __name__ == "__main__":
    main(sys.argv[1:])
