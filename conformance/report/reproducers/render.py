"""Renders a violation as a script."""

from __future__ import annotations

import contextlib
import re
import textwrap
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from conformance.adapters.errors import printable
from conformance.adapters.protocols import ARRAYS
from conformance.engine.jax_runtime import HOST_DEVICES
from conformance.properties.support.layer_handle import CONSTRUCT, WRITE
from conformance.report.reproducers.construction_spec import Blueprint, Place
from conformance.report.reproducers.inliner import names_in, pieces_for
from conformance.report.reproducers.recipes import RECIPES
from conformance.report.reproducers.script import Complete, NoScript, Script
from conformance.requirements import REQUIREMENTS
from conformance.requirements.finding import Finding, FindingKind
from conformance.requirements.verdict import Verdict, Violation
from conformance.strategies.codec import CodecError, decode
from conformance.strategies.programs import KINDS

GONE = 77
"""Exit code of a watched script if nothing happens: the layer might itself exit with 0."""

START = 60
"""Seconds for starting the interpreter and the frameworks, beyond the limit of calls."""

_STANDARD = ("copy", "gc", "os", "pickle", "random", "subprocess", "sys", "tempfile")
_JAX = {
    "jax": "import jax",
    "jnp": "import jax.numpy as jnp",
    "optax": "import optax",
    "nnx": "from flax import nnx",
}


_KNOWN = {"ONE_PASS_VARIANCE", "GRADIENT_THROUGH_STATISTICS"}
"""Declared deviations that change nothing that a script computes."""


def script_of(verdict: Verdict, blueprint: Blueprint, occurrence: int = 0) -> str:
    """Return the script for a verdict with a violation.

    Args:
        verdict: The verdict.
        blueprint: How the implementation is constructed.
        occurrence: Which comparison of the quantity failed, from 0, where a claim repeats it.

    Raises:
        NoScript: There is none; the message says why, and what to do instead.
    """
    violation = verdict.violation
    assert violation is not None, "the caller looks for one"  # noqa: S101
    _refuse_what_no_script_shows(verdict, violation, blueprint)
    script = Script(violation.finding, blueprint, occurrence)
    drawn = _drawn(violation)
    try:
        with contextlib.suppress(Complete), np.errstate(all="ignore"):  # inputs may have NaN
            RECIPES[verdict.requirement](script, **drawn)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        why = printable(str(error))
        msg = f"the stored counterexample does not match {verdict.requirement}: {why}"
        raise NoScript(msg) from error
    if not script.kind and not script.raised:
        msg = f"{violation.finding.label!r} is compared by nothing that a script can do"
        raise NoScript(msg)
    return re.sub(r"\n{4,}", "\n\n\n", _rendered(verdict, violation, script))


def _drawn(violation: Violation) -> dict[str, Any]:
    """Return the drawn values. They become source text, and a report may come from anybody.

    Raises:
        NoScript: A value is not a number, an array of numbers, or a word that is drawn.
    """
    try:
        drawn = {name: decode(value) for name, value in violation.values.items()}
    except CodecError as error:
        raise NoScript(f"its stored case cannot be read: {error}") from error
    for value in (*drawn.values(), violation.finding.index):
        _vet(value)
    return drawn


_WORDS = {*KINDS, "bfloat16", "float16"}


def _vet(value: Any) -> None:
    if isinstance(value, np.ndarray | np.generic):
        known = value.dtype.kind in "fiub"
    elif is_dataclass(value):
        known = True
        for field in fields(value):
            _vet(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        known = True
        for item in value:
            _vet(item)
    else:
        known = value is None or isinstance(value, int | float) or value in _WORDS
    if not known:
        raise NoScript(f"its stored case has {printable(repr(value))}, which is never drawn")


def _refuse_what_no_script_shows(
    verdict: Verdict, violation: Violation, blueprint: Blueprint
) -> None:
    row = verdict.requirement
    if not violation.values:
        raise NoScript("no case belongs to it")
    if row not in RECIPES:
        raise NoScript(f"{row} has no recipe")
    forward = REQUIREMENTS[row].needs.name == "FORWARD"
    if blueprint.obstacle and not forward:
        raise NoScript(blueprint.obstacle)
    if forward and blueprint.forward is None:
        raise NoScript("its forward function cannot be imported by a name")
    if unknown := sorted(set(blueprint.deviations) - _KNOWN):
        msg = f"it declares {unknown[0]}, and a script knows the conventions of the table only"
        raise NoScript(msg)


def _rendered(verdict: Verdict, violation: Violation, script: Script) -> str:
    finding, blueprint = violation.finding, script.blueprint
    limit = limit_of(finding)
    steps = [line for text in script.lines for line in text.splitlines()]
    got, expected = script.got or "None", script.expected or "None"
    body = "\n".join([*script.given.values(), *steps, got, expected])
    used = body if "build" not in names_in(_valid(body)) else f"{body}\nwrite"
    pieces = pieces_for(_valid(used))
    everything = _valid("\n".join([used, *pieces]))
    names = names_in(everything)
    builds = "build" in names
    wanted = names | ({"nnx", "jnp"} if builds else set())
    places = {"Layer": blueprint.layer if builds else None}
    places["forward"] = blueprint.forward if "forward" in names else None
    index = finding.index or ()
    return _template().render(
        requirement=verdict.requirement,
        identity=re.sub(r"[^a-z0-9-]", "", violation.id),
        statement=REQUIREMENTS[verdict.requirement].statement,
        found=printable(f"{verdict.implementation}: {finding.sentence()}", keep=""),
        kind=script.kind or "raises",
        raised=script.raised,
        standard=_standard(names, limit),
        partial="partial" in names,
        decimal="Decimal" in names,
        devices=HOST_DEVICES if "spread" in names else "",
        mask=repr(blueprint.wider.get("mask", "")) if "MASK" in names else "",
        more=", **more" if blueprint.wider else "",
        numbers=", ".join(n for n in ("inf", "nan") if n in names),
        imports=[
            *(text for name, text in _JAX.items() if name in wanted),
            *(line for n, place in places.items() if place for line in _load(place, n)),
        ],
        builds=builds,
        building=script.raised and finding.operation in {CONSTRUCT, WRITE},
        build=_build(blueprint),
        names=repr({name: blueprint.attributes.get(name, name) for name in ARRAYS}),
        pieces=pieces,
        given={n: text for n, text in script.given.items() if n in names},
        lines=steps,
        got=got,
        expected=expected,
        allowed=repr(script.allowed),
        index=", ".join(map(str, index)) or "()",
        what=repr(printable(f"{finding.label}:", keep="")),
        limit=limit,
        start=START,
        GONE=GONE,
    )


def _valid(text: str) -> str:
    """Return steps as the body of a function, where every kind of step is valid."""
    return "def steps():\n" + textwrap.indent(text, "    ")


def _standard(names: set[str], limit: str) -> list[str]:
    """Return the modules of the standard library to import."""
    needed = {"sys", *(["subprocess"] if limit else []), *(["os"] if "spread" in names else [])}
    return [name for name in _STANDARD if name in names | needed]


def limit_of(finding: Finding) -> str:
    """Return the seconds after which a script stops waiting for a layer; empty if it never does."""
    if finding.limit_s is not None:
        return f"{finding.limit_s:g}"
    return "600" if finding.kind is FindingKind.LOST else ""


def _build(blueprint: Blueprint) -> str:
    own = blueprint.keywords
    given = [f"{own.get(n, n)}={n}" for n in ("features", "momentum", "eps")]
    given += [f"{name}={text}" for name, text in blueprint.arguments.items()]
    more = ", **more" * bool(blueprint.wider)
    return f"Layer({', '.join(given)}, rngs=nnx.Rngs(seed){more})"


def _load(place: Place, name: str) -> list[str]:
    """Return the statements that import something under a name."""
    where = str(Path(place.file).parent) if place.file else ""
    head, _, rest = place.name.partition(".")
    lines = [f"sys.path.insert(0, {where!r})"]
    if all(part.isidentifier() for part in place.module.split(".")) and not rest:
        return [*lines, f"from {place.module} import {head} as {name}"]
    module = f"importlib.import_module({place.module!r})"
    return [*lines, "import importlib", f"{name} = {module}.{place.name}"]


@cache
def _template() -> Template:
    place = Path(__file__).parent
    loader = FileSystemLoader(place)
    environment = Environment(  # noqa: S701  the script is Python, and nothing in it is a page
        loader=loader, undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("script.py.jinja")
