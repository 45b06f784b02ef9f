"""Renders a recording as a script."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.adapters.calling import Calling
from conformance.adapters.errors import printable
from conformance.adapters.protocols import COUNT
from conformance.engine.jax_runtime import HOST_DEVICES
from conformance.numerics.sources import Source, operands_of
from conformance.properties.support.checks import Comparison
from conformance.report.reproducers.construction_spec import Blueprint, Place
from conformance.report.reproducers.no_script import NoScript
from conformance.report.reproducers.recorder import Recording
from conformance.report.reproducers.writing import PLAIN, Writer, as_loops
from conformance.requirements import REQUIREMENTS
from conformance.requirements.finding import Finding, FindingKind
from conformance.requirements.verdict import Verdict

GONE = 77
"""Exit code of a watched script if nothing happens: the layer might itself exit with 0."""

START = 60
"""Seconds for starting the interpreter and the frameworks, beyond the limit of calls."""


def script_of(
    verdict: Verdict, recording: Recording, blueprint: Blueprint, *, plain: bool = True
) -> str:
    """Return the script for a verdict with a violation.

    Args:
        verdict: The verdict.
        recording: What happened in the case.
        blueprint: How the implementation is constructed.
        plain: Whether to write calls as a user would, where that is possible.

    Raises:
        NoScript: Nothing in the recording makes the comparison.
    """
    finding, compared = recording.finding, recording.comparison
    assert finding is not None, "nothing else is recorded to its end"  # noqa: S101
    names = {step.operation.name for step in recording.steps}
    needs_layer = names != {"forward"} and names - {"forward", "put", "reread"}
    plain = (
        plain
        and names <= PLAIN
        and COUNT not in blueprint.attributes
        and ((blueprint.layer is not None and blueprint.usual) or not needs_layer)
        and (blueprint.forward is not None or "forward" not in names)
        and (compared is None or compared.kind not in {"array", "has"})
    )
    taken: frozenset[str] = frozenset({"got", "expected", "allowed", "implementation", "error"})
    for _ in range(2):  # the second time, no variable has the name of a definition
        writer = Writer(blueprint, recording, plain=plain, taken=taken - {"expected"})
        text = _script(writer, verdict, finding, compared, names)
        taken |= set(writer.bundle.names.values())
    return text


def _script(
    writer: Writer, verdict: Verdict, finding: Finding, compared: Comparison | None, names: set[str]
) -> str:
    steps = writer.recording.steps
    roots = (
        [steps[-1].source]
        if compared is None
        else [operands_of(compared.got), operands_of(compared.expected)]
    )
    conditions = [s for s in steps if s.operation.name == "refuses" and s.source is not roots[0]]
    roots += [step.source for step in conditions]
    lines, texts = writer.write(roots)
    last = writer.last
    acting = [line for order, line in lines if order < last or (order == last and compared)]
    after = [line for order, line in lines if order > last]
    failing = [] if compared else [line for order, line in lines if order == last]
    limit = limit_of(finding)
    loading, definitions = list(_loading(writer, names)), list(_definitions(writer, names))
    bundle = writer.bundle
    if any("SimpleNamespace" in line for line in definitions):
        bundle.add_import("from types import SimpleNamespace", "SimpleNamespace")
    literals = "\n".join([*writer.given, *(line for _, line in lines), *texts])
    if "jnp." in literals:
        bundle.add_import("import jax.numpy as jnp", "jnp")
    special = [name for name in ("inf", "nan") if re.search(rf"\b{name}\b", literals)]
    if "decimals" in bundle.names.values():
        bundle.add_import("from decimal import getcontext", "getcontext")
    if limit:
        bundle.add_import("import subprocess", "subprocess")
    bundle.add_import("import sys", "sys")
    standard, others = _split_imports(bundle.imports)
    importing = [*others, *loading]
    for step, text in zip(conditions, texts[2:], strict=True) if compared else ():
        after.insert(0, f"if {text} != {step.result}:\n    sys.exit(0)  # then nothing is claimed")
    if writer.plain and "jnp." not in "".join(writer.given):
        acting, importing = [*importing, *acting], []
    parts = [
        _heading(verdict, finding),
        "\n".join([*standard, "", "import numpy as np", *_special(special)]),
        _devices(names),
        _attempt(importing) if importing else "",
        *bundle.pieces,
        "\n".join(definitions),
        "getcontext().prec = 60" if "decimals" in bundle.names.values() else "",
        "\n".join(writer.given),
        _watching(limit) if limit else "",
        _attempt(as_loops(acting)) if acting else "",
        _failing(failing, bool(limit)) if compared is None else "",
        "\n".join([*as_loops(after), *_compare(compared, texts, finding)]) if compared else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _special(names: list[str]) -> list[str]:
    return [f"from numpy import {', '.join(names)}"] if names else []


def _heading(verdict: Verdict, finding: Finding) -> str:
    assert verdict.violation is not None  # noqa: S101
    identity = re.sub(r"[^a-z0-9-]", "", verdict.violation.id)
    row = REQUIREMENTS[verdict.requirement]
    found = printable(f"{verdict.implementation}: {finding.sentence()}", keep="")
    return (
        f'"""{row.id} ({identity}): {row.statement}\n\n'
        f"Found: {found}\n"
        "Exit code 1 while the bug is there, 0 when it is gone, 125 if that cannot be decided:\n"
        'the codes of `git bisect run`.\n"""'
    )


def _split_imports(imports: dict[str, None]) -> tuple[list[str], list[str]]:
    """Return imports of the standard library, and others; NumPy's is neither."""
    import sys  # noqa: PLC0415

    def top(statement: str) -> str:
        return statement.split()[1].partition(".")[0]

    own = sorted(s for s in imports if top(s) in sys.stdlib_module_names)
    others = [s for s in imports if top(s) not in {*sys.stdlib_module_names, "numpy"}]
    return own, sorted(others)


def _devices(names: set[str]) -> str:
    if "run_program" not in names:
        return ""
    return (
        "import os\n\n"
        f'os.environ.setdefault("JAX_NUM_CPU_DEVICES", "{HOST_DEVICES}")  # before JAX starts'
    )


def _loading(writer: Writer, names: set[str]) -> Iterator[str]:
    """Yield the statements that import what is judged."""
    own = writer.blueprint
    forward_only = names <= {"forward", "put", "overwrite", "reread"}
    if forward_only and own.forward is not None:
        yield from _load(own.forward, "forward" if writer.plain else "user_forward")
    elif own.adapter:
        return
    elif own.layer is not None:
        yield from _load(own.layer, "Layer")
        if writer.plain and "build" in names:
            writer.bundle.add_import("from flax import nnx", "nnx")
    elif own.whole is not None:
        yield from _load(own.whole, "found")
    else:
        raise NoScript("what is judged cannot be imported by a name")


def _load(place: Place, name: str) -> list[str]:
    """Return the statements that import something under a name."""
    where = str(Path(place.file).parent) if place.file else ""
    head, _, rest = place.name.partition(".")
    lines = [f"sys.path.insert(0, {where!r})"]
    if all(part.isidentifier() for part in place.module.split(".")) and not rest:
        return [*lines, f"from {place.module} import {head} as {name}"]
    module = f"importlib.import_module({place.module!r})"
    return [*lines, "import importlib", f"{name} = {module}.{place.name}"]


def _definitions(writer: Writer, names: set[str]) -> Iterator[str]:
    """Yield the definition of ``implementation``, where operations take it."""
    own, add = writer.blueprint, writer.bundle.add
    if writer.plain:
        return
    forward_only = names <= {"forward", "put", "overwrite", "reread"}
    wide = "build_with" in names
    if not (forward_only and own.forward is not None) and own.adapter:
        more = "".join(f", {name}={text}" for name, text in own.adapter_arguments.items())
        if wide:
            made = (
                f"lambda config, options: {add(own.adapter, 'build_wide')}(config, options{more})"
            )
        else:
            made = f"lambda config: {add(own.adapter, 'build')}(config{more})"
    elif forward_only and own.forward is not None:
        yield "implementation = SimpleNamespace(forward=user_forward)"
        return
    elif own.layer is not None:
        yield f"KEYWORDS = {own.keywords!r}"
        yield f"NAMES = {own.attributes!r}"
        if wide:
            yield f"OPTIONS = {own.options!r}"
        made = _constructing(writer, wide=wide)
    else:
        yield from _reading(writer)
        return
    if wide:
        yield f"implementation = SimpleNamespace(wider=SimpleNamespace(build={made}))"
    else:
        yield f"implementation = SimpleNamespace(build={made})"


def _reading(writer: Writer) -> Iterator[str]:
    """Yield the statements that make the implementation of the object with the typed name."""
    own = writer.blueprint
    if own.member:
        yield f"found = found[{own.member!r}]"
        yield 'implementation = getattr(found, "implementation", found)'
    elif own.driven and own.whole is not None:
        writer.bundle.add_import(
            "from conformance.adapters.frameworks import as_implementation", "as_implementation"
        )
        yield f"implementation = as_implementation({own.whole.name!r}, found)"
    elif own.configured and own.whole is not None:
        writer.bundle.add_import(
            "from conformance.adapters.recognition import recognize", "recognize"
        )
        yield f"implementation = recognize({own.whole.name!r}, found)"
    else:
        yield 'implementation = found if hasattr(found, "build") else found()'


def _constructing(writer: Writer, *, wide: bool) -> str:
    """Return the text of the function that constructs an ``nnx.Module`` with its adapter."""
    own, add = writer.blueprint, writer.bundle.add
    build, more = add("conformance.adapters.nnx", "build_layer"), ""
    if own.calling or own.extra:
        for name in ("Calling", "Layout") if own.calling else ("DEFAULT",):
            add("conformance.adapters.calling", name)
        calling = repr(Calling.from_json(own.calling)) if own.calling else "DEFAULT"
        more = f", {calling}, {tuple(own.extra)!r}"
    arguments = "{" + ", ".join(f"{n!r}: {text}" for n, text in own.arguments.items()) + "}"
    if not wide:
        return f"lambda config: {build}(Layer, config, KEYWORDS, NAMES, {arguments}{more})"
    split = add("conformance.adapters.wide", "split_layer")
    given = "{own: getattr(options, name) for name, own in OPTIONS.items()"
    given += " if getattr(options, name) is not None}"
    arguments = f"{{**{arguments}, **{given}}}"
    built = f"{build}(Layer, config, KEYWORDS, NAMES, {arguments}{more})"
    return f"lambda config, options: {split}({built}, {own.mask!r})"


def _watching(limit: str) -> str:
    return (
        f"GONE = {GONE}  # the layer might itself exit with 0\n"
        'if sys.argv[1:] != ["watched"]:  # it may hang, or end its process: it runs in another\n'
        '    again = [sys.executable, __file__, "watched"]\n'
        "    try:\n"
        f"        code = subprocess.run(again, timeout={limit} + {START}).returncode\n"
        '        print("exit code of the process:", code)\n'
        "    except subprocess.TimeoutExpired:\n"
        f'        print("no result within {limit} s")\n'
        "        code = 1\n"
        "    sys.exit({GONE: 0, 125: 125}.get(code, 1))"
    )


def _attempt(lines: list[str]) -> str:
    body = textwrap.indent("\n".join(lines), "    ")
    return (
        f"try:\n{body}\nexcept BaseException as error:  # nothing can be said about the bug\n"
        '    print(f"{type(error).__name__}: {error}")\n    sys.exit(125)'
    )


def _failing(lines: list[str], watched: bool) -> str:
    body = textwrap.indent("\n".join(lines), "    ")
    return (
        f"try:\n{body}\nexcept BaseException as error:\n"
        '    print(f"{type(error).__name__}: {error}")\n    sys.exit(1)\n'
        f'print("nothing was raised")\nsys.exit({"GONE" if watched else 0})'
    )


def _compare(compared: Comparison, texts: list[str], finding: Finding) -> Iterator[str]:
    got, expected = texts[:2]
    if not _has_source(operands_of(compared.got)):
        raise NoScript(f"{finding.label!r} is compared by nothing that a script can do")
    what = repr(printable(f"{finding.label}:", keep=""))
    kind, show = compared.kind, f"print({what}, 'got', got, 'expected', expected)"
    if kind in {"within", "identical"}:
        yield f"got, expected = np.asarray({got}), np.asarray({expected})"
        yield "if got.shape != expected.shape:"
        yield "    sys.exit(f'shape {got.shape} instead of {expected.shape}')  # exit code 1"
    if kind == "within":
        index = ", ".join(map(str, finding.index or ())) or "()"
        yield f"allowed = {finding.bound!r}  # the largest error of correct arithmetic"
        yield f"got, expected = float(got[{index}]), float(expected[{index}])"
        yield f"print({what}, 'got', got, 'expected', expected, '±', allowed)"
        yield "sys.exit(0 if abs(got - expected) <= allowed else 1)"
    elif kind == "identical":
        yield show
        yield "same = np.array_equal(got, expected, equal_nan=got.dtype.kind in 'fV')"
        yield "sys.exit(0 if same else 1)"
    elif kind in {"finite", "nan"}:
        yield f"got = np.asarray({got}, np.float64)"
        yield f"print({what}, 'got', got)"
        yield f"sys.exit(0 if np.is{kind}(got).all() else 1)"
    else:
        found, wanted = {
            "shape": (f"np.shape({got})", expected),
            "dtype": (f"str({got}.dtype)", expected),
            "true": (f"bool({got})", "True"),
            "array": (f"isinstance({got}, np.ndarray)", "True"),
            "has": (f"{expected} in {got}", "True"),
            "same": (got, expected),
        }[kind]
        yield f"got, expected = {found}, {wanted}"
        yield show
        yield "sys.exit(0 if got == expected else 1)"


def _has_source(operand: Any) -> bool:
    if isinstance(operand, dict):
        return any(map(_has_source, operand.values()))
    if isinstance(operand, list | tuple):
        return any(map(_has_source, operand))
    return isinstance(operand, Source)


def limit_of(finding: Finding) -> str:
    """Return the seconds after which a script stops waiting for a layer; empty if it never does."""
    if finding.limit_s is not None:
        return f"{finding.limit_s:g}"
    return "600" if finding.kind is FindingKind.LOST else ""
