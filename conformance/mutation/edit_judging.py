"""What a worker does to judge edits of the layer that it was started for.

Each function handles a request. They share the layer that was loaded last: what was judged on it
stays in memory, so that a worker judges many edits one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from conformance.adapters import call_hooks
from conformance.adapters.errors import AdapterError, describe
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.adapters.recognized import Recognition
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.engine.sandbox.messages import Request
from conformance.mutation.edited_source import LayerSource, find_source
from conformance.mutation.reach import Reach
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS

_HERE = __name__


@dataclass
class _Bench:
    """What a worker is working on.

    Attributes:
        source: The module of the layer.
        reach: What is executed of the original.
        subject: The copy that is judged.
    """

    source: LayerSource
    reach: Reach = field(default_factory=Reach)
    subject: Subject | None = None


_bench: list[_Bench] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare(Request):
    """Find the source of the layer. Answered by ``file``, ``text`` and ``definitions``."""

    handler: ClassVar[str] = f"{_HERE}:prepare"
    name: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(Request):
    """Load a copy with this source. Answered by ``refusal``, and by how it was recognized."""

    handler: ClassVar[str] = f"{_HERE}:load"
    text: str
    noting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge(Request):
    """Judge what was loaded. Answered by the verdicts, up to the first that is bad."""

    handler: ClassVar[str] = f"{_HERE}:judge"
    rows: Sequence[str]
    profile: str
    go_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace(Request):
    """Trace what was loaded. Answered by a digest of its program; empty if it has none."""

    handler: ClassVar[str] = f"{_HERE}:trace"
    mined: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReach(Request):
    """Answered by the places of the original, and the numbers of those that were executed."""

    handler: ClassVar[str] = f"{_HERE}:read_reach"


def prepare(subject: Subject, *, name: str, folder: str) -> dict[str, Any]:
    """Handle ``Prepare``."""
    try:
        source = find_source(name, subject.imported, Path(folder))
    except AdapterError as error:
        return {"refusal": str(error)}
    _bench[:] = [_Bench(source)]
    return {
        "refusal": "",
        "file": str(source.file),
        "text": source.text,
        "definitions": list(source.definitions),
    }


def load(_: Subject, *, text: str, noting: bool) -> dict[str, Any]:
    """Handle ``Load``: a copy that cannot be imported, understood or constructed is refused."""
    bench, refused = _bench[0], {"line": "", "suggestions": [], "mined": []}
    bench.subject = None
    call_hooks.notify_operation("importing it")
    try:
        made = _implementation(bench, text, noting=noting)
        if made.build is not None:
            made.build(Config(features=3))
    except AdapterError as error:
        return {"refusal": str(error), **refused}
    except BaseException as error:  # noqa: BLE001  an edited constructor may raise anything
        return {"refusal": describe(error), **refused}
    bench.reach.executed.clear()  # calls that find out how a layer is called are not cases
    bench.subject = Subject(made)
    read = made.recognition or Recognition(line="")
    return {
        "refusal": "",
        "line": read.line,
        "suggestions": list(read.suggestions),
        "mined": list(made.mined),
    }


def _implementation(bench: _Bench, text: str, *, noting: bool) -> Implementation:
    if not noting:
        return bench.source.implementation(text)
    bench.reach = Reach()
    tree, names = bench.reach.instrument(text, bench.source.definitions)
    return bench.source.implementation(text, tree, names)


def judge(_: Subject, *, rows: Sequence[str], profile: str, go_on: bool) -> list[dict[str, str]]:
    """Handle ``Judge``."""
    subject, chosen, found = _bench[0].subject, budget(profile, minimize=False), []
    assert subject is not None, "a copy is loaded before it is judged"  # noqa: S101
    for row in rows:
        verdict = judge_requirement(REQUIREMENTS[row], subject, chosen)
        found.append(
            {
                "requirement": row,
                "outcome": verdict.outcome.value,
                "why": verdict.violation.finding.sentence()
                if verdict.violation
                else verdict.detail,
            }
        )
        if verdict.outcome.bad and not go_on:
            break
    return found


def trace(_: Subject, *, mined: Sequence[float]) -> str:
    """Handle ``Trace``."""
    from conformance.mutation.traced_programs import trace_program  # noqa: PLC0415  imports JAX

    subject = _bench[0].subject
    if subject is None or subject.imported.build is None:
        return ""
    call_hooks.notify_operation("tracing it")
    program = trace_program(subject.imported, mined)
    return sha256(program.encode()).hexdigest() if program else ""


def read_reach(_: Subject) -> dict[str, Any]:
    """Handle ``ReadReach``."""
    reach = _bench[0].reach
    places = [[place.line, place.branch] for place in reach.places]
    return {"places": places, "executed": sorted(reach.executed)}
