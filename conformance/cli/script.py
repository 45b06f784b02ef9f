"""A counterexample as a script of its own: NumPy, JAX, flax and the user's module, nothing else."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from conformance.report.files import write_text
from conformance.requirements import REQUIREMENTS
from conformance.verdict import Verdict

_SHAPED = {
    "seed-shaped nnx.Module": {
        "build": "Layer(d=D, momentum=momentum, eps=eps, rngs=nnx.Rngs(0))",
        "names": ("gamma", "beta", "running_mean", "running_var"),
    },
    "flax-shaped nnx.Module": {
        "build": "Layer(num_features=D, momentum=momentum, epsilon=eps, rngs=nnx.Rngs(0))",
        "names": ("scale", "bias", "mean", "var"),
    },
}

_TEMPLATE = '''"""{requirement} ({identity}): {statement}

Exit code 1 while the bug is there, 0 when it is not, 125 if the layer cannot be built; as
`git bisect run` wants it. Expected values are computed here, in float64.
"""

import sys

import numpy as np

try:
{load}
    import jax.numpy as jnp
    from flax import nnx
except Exception as error:
    print("cannot be imported:", error)
    sys.exit(125)

inf, nan = np.inf, np.nan
momentum, eps = {momentum!r}, {eps!r}
x = np.array({x}, np.float32)
state = {{
{state}
}}
D = x.shape[1]

try:
    layer = {build}
    for name, value in state.items():
        getattr(layer, name)[...] = jnp.asarray(value)
except Exception as error:
    print("cannot be built:", error)
    sys.exit(125)

gamma, beta, mean, var = (np.asarray(value, np.float64) for value in state.values())
x64 = x.astype(np.float64)
batch_mean = x64.mean(axis=0)
batch_var = ((x64 - batch_mean) ** 2).mean(axis=0)
{call}
got = np.asarray({got}, np.float64)
allowed = {bound!r}  # what a correct layer may be off by at {index}
error = abs(got[{index}] - expected[{index}])
print("got", got[{index}], "expected", expected[{index}], "± {bound:.2g}")
sys.exit(int(not error <= allowed))
'''

_TRAIN = """y = layer(jnp.asarray(x), use_running_average=False)
expected = {expected}"""
_EVALUATE = """y = layer(jnp.asarray(x), use_running_average=True)
expected = gamma * (x64 - mean) / np.sqrt(var + eps) + beta"""

_NORMALIZED = "gamma * (x64 - batch_mean) / np.sqrt(batch_var + eps) + beta"


class NoScript(Exception):
    """The counterexample is no single call; the message says what to do instead."""


def write_script(verdict: Verdict, path: Path, name: str | None = None) -> None:
    """Write the script, once it was seen to end with 1.

    Raises:
        NoScript: what was found cannot be shown by one call of a layer of a known shape.
    """
    text = script_of(verdict, name)
    with tempfile.TemporaryDirectory() as directory:
        draft = Path(directory) / "draft.py"
        draft.write_text(text, encoding="utf-8")
        command = [sys.executable, str(draft)]
        status = subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603
    if status != 1:
        raise NoScript(_refusal(verdict, f"one call does not show it (exit code {status})"))
    write_text(path, text)


def script_of(verdict: Verdict, name: str | None = None) -> str:
    """Return the script for a verdict with a violation.

    Raises:
        NoScript: as above.
    """
    violation = verdict.violation
    case = violation.values.get("case") if violation is not None else None
    if violation is None or case is None or case.get("$") != "Case":
        raise NoScript(_refusal(verdict, "it is not about a single batch"))
    finding = violation.finding
    if verdict.kind.partition(",")[0] not in _SHAPED or finding.bound is None:
        raise NoScript(_refusal(verdict, "only layers of the two known shapes have scripts"))
    shape = _SHAPED[verdict.kind.partition(",")[0]]
    fields = case["fields"]
    config = fields["config"]["fields"]
    names = dict(zip(("gamma", "beta", "running_mean", "running_var"), shape["names"], strict=True))
    call, got = _call_of(verdict, names)
    index = ", ".join(map(str, finding.index or ()))
    return _TEMPLATE.format(
        requirement=verdict.requirement,
        identity=violation.id,
        statement=REQUIREMENTS[verdict.requirement].statement,
        load=_load(name or verdict.implementation, verdict),
        momentum=config["momentum"],
        eps=config["eps"],
        x=_nested(fields["x"]),
        state=_state(fields, names, int(config["features"])),
        build=shape["build"],
        call=call,
        got=got,
        bound=finding.bound,
        index=index or "...",
    )


def _call_of(verdict: Verdict, names: dict[str, str]) -> tuple[str, str]:
    """Return the call with the expected value, and where to find what was got."""
    assert verdict.violation is not None, "checked by the caller"  # noqa: S101
    quantity = verdict.violation.finding.quantity
    if quantity in {"y", "y in training"}:
        return _TRAIN.format(expected=_NORMALIZED), "y"
    if quantity == "y in evaluation":
        return _EVALUATE, "y"
    for name, (old, new) in {
        "running_mean": ("mean", "batch_mean"),
        "running_var": ("var", "batch_var"),
    }.items():
        if quantity == name:
            expected = f"momentum * {old} + (1 - momentum) * {new}"
            return _TRAIN.format(expected=expected), f"layer.{names[name]}[...]"
    raise NoScript(_refusal(verdict, f"{quantity!r} is not what one call returns or stores"))


def _state(fields: dict[str, Any], names: dict[str, str], features: int) -> str:
    fresh = {"gamma": 1.0, "beta": 0.0, "running_mean": 0.0, "running_var": 1.0}
    held = fields["state"]
    lines = []
    for name, attribute in names.items():
        value = _nested(held["fields"][name]) if held else repr([fresh[name]] * features)
        lines.append(f"    {attribute!r}: np.array({value}, np.float32),")
    return "\n".join(lines)


def _nested(array: dict[str, Any]) -> str:
    from conformance.exact import decode  # noqa: PLC0415  imports NumPy

    return repr(decode(array).tolist())


def _load(name: str, verdict: Verdict) -> str:
    place, _, attribute = name.rpartition(":")
    if place.endswith(".py"):
        directory, module = str(Path(place).resolve().parent), Path(place).stem
        lines = [f"sys.path.insert(0, {directory!r})", f"from {module} import {attribute} as Layer"]
    elif place and "." not in attribute and attribute.isidentifier():
        lines = ['sys.path.insert(0, "")', f"from {place} import {attribute} as Layer"]
    else:
        raise NoScript(_refusal(verdict, f"{name!r} is not named as module:class or file.py:class"))
    return "\n".join(f"    {line}" for line in lines)


def _refusal(verdict: Verdict, reason: str) -> str:
    identity = verdict.violation.id if verdict.violation is not None else ""
    return f"{identity} has no script: {reason}. `conformance replay {identity}` shows it."
