"""Environments: how a user names the one that an implementation is imported in, and finding it.

A name may contain an environment, before the device if there is one. ``norm.py:Norm@other/.venv``
is judged with the packages of a virtual environment, ``flax@0.12.1`` with a version of the package,
and ``norm.py:Norm@jax==0.9.0,flax==0.12.1`` with versions of several. Environments with versions
are made by uv, once. Imports the standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from conformance.adapters.errors import AdapterError, printable
from conformance.adapters.former_names import describe_renamed
from conformance.engine.devices import is_command, split_device
from conformance.engine.jax_runtime import cache_directory

SUITE = "batchnorm-conformance"
"""The distribution of this suite."""

NEEDED = ("jax", "flax", "numpy")
"""The distributions that a process which imports an implementation needs besides those of it."""

SHOWN = ("jax", "jaxlib", "flax", "numpy", "equinox", "dm-haiku", "keras", "torch", "mlx", "onnx")
"""The distributions whose versions a report lists, where they are installed."""

_OF_NAMES = {"flax": "flax", "linen": "flax", "haiku": "dm-haiku"} | {
    name: name for name in ("equinox", "keras", "torch", "onnx")
}
_OF_NAMES["mlx"] = "mlx[cpu]" if sys.platform == "linux" else "mlx"
"""The distribution that a version means, by the first word of a registered name."""

_LOWEST_PYTHON = (3, 11)
_PATIENCE = 60.0
"""Seconds that an interpreter may take to list versions."""

_VERSION = re.compile(r"\d+(\.\w+)*(\+\w+)?")
_REQUIREMENT = re.compile(r"[A-Za-z][\w.-]*(\[[\w-]+\])?==\d[\w.+]*")

_PROBE = """
import importlib.metadata as m, json, platform, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps({"python": platform.python_version(), **found}))
"""

_COMPILE = "from flax import nnx; nnx.jit(lambda x: x + 1)(1.0)"


@dataclass(frozen=True, slots=True)
class Place:
    """A name, taken apart.

    Attributes:
        implementation: What is resolved there.
        environment: A path, a version, or requirements; empty for the environment of the suite.
        device: The device; empty for the default one.
    """

    implementation: str
    environment: str
    device: str


def split_place(name: str) -> Place:
    """Return an implementation as it is resolved, its environment, and its device."""
    rest, device = split_device(name)
    implementation, _, environment = rest.rpartition("@")
    if implementation and _is_environment(environment) and not is_command(name):
        return Place(implementation, environment, device)
    return Place(rest, "", device)


def _is_environment(text: str) -> bool:
    if ":" in text:
        return False  # which no path of an environment has, but a file with an attribute
    return "/" in text or bool(_VERSION.fullmatch(text)) or _are_requirements(text)


def _are_requirements(text: str) -> bool:
    return all(_REQUIREMENT.fullmatch(each) for each in text.split(","))


def find_interpreter(place: Place, on_making: Callable[[str], None] | None = None) -> str:
    """Return the path of the interpreter of an environment, which is made if it is not there.

    Args:
        place: Where to judge.
        on_making: Called with the requirements before an environment is made.

    Raises:
        AdapterError: There is none, or it lacks what a process that imports a layer needs.
    """
    if "/" in place.environment:
        found = _at_path(Path(place.environment).expanduser(), place.environment)
    else:
        found = _with_requirements(_requirements_of(place), on_making)
    _check(found)
    return found


def check_frameworks(place: Place) -> None:
    """Refuse an environment whose flax does not work with its JAX: no layer would be to blame.

    Raises:
        AdapterError: It cannot compile a function; the message has what was raised.
    """
    if "/" not in place.environment:
        return  # which was checked when it was made
    python = find_interpreter(place)
    if problem := _why_unusable(python):
        found = dict(_probe(python))
        both = f"flax {found['flax']} does not work with jax {found['jax']}"
        raise AdapterError(f"{python}: {both}: {problem}")


def versions_in(place: Place) -> dict[str, str]:
    """Return the versions of Python and of the frameworks in an environment, by name."""
    return dict(_probe(find_interpreter(place)))


def _at_path(path: Path, typed: str) -> str:
    interpreter = path / "bin" / "python" if path.is_dir() else path
    if not os.access(interpreter, os.X_OK) or interpreter.is_dir():
        msg = (
            f"{typed!r}: there is no interpreter {str(interpreter)!r}. Name the folder of a "
            "virtual environment, or its bin/python."
        )
        raise AdapterError(msg)
    return os.path.abspath(interpreter)  # noqa: PTH100  resolving the link would leave the environment


def _requirements_of(place: Place) -> tuple[tuple[str, ...], ...]:
    """Return what to install, sorted, in the order in which it is tried.

    JAX and flax are as they are here unless they are named. Versions of flax do not limit that of
    JAX, so JAX may be too new for an older one: then it is the oldest that the suite supports.
    """
    named = place.environment
    if _VERSION.fullmatch(named):
        named = f"{_distribution_of(place)}=={named}"
    wanted = dict(each.split("==") for each in named.split(","))
    normal = {re.sub(r"[-_.]+", "-", name).lower(): number for name, number in wanted.items()}
    numbers = dict.fromkeys((version("jax"), _lowest_versions().get("jax", version("jax"))))
    tried = [{"jax": jax, "flax": version("flax")} | normal for jax in numbers]
    listed = (tuple(sorted(f"{n}=={number}" for n, number in one.items())) for one in tried)
    return tuple(dict.fromkeys(listed))


def _distribution_of(place: Place) -> str:
    from conformance.adapters.resolve import find_registered  # noqa: PLC0415  imports NumPy

    name = place.implementation
    registered = find_registered().get(name)
    owner = "" if registered is None or registered.dist is None else registered.dist.name
    found = _OF_NAMES.get(name.partition("-")[0], "") if owner == SUITE else owner
    if registered is None and (renamed := describe_renamed(f"{name}@{place.environment}")):
        raise AdapterError(renamed)
    if not found:
        msg = (
            f"{name}@{place.environment}: of which package is {place.environment} the version? "
            f"Say {name}@PACKAGE=={place.environment}, such as {name}@flax==0.12.1."
        )
        raise AdapterError(msg)
    return found


def _with_requirements(
    tried: tuple[tuple[str, ...], ...], on_making: Callable[[str], None] | None
) -> str:
    """Return the interpreter of the environment with these versions, made by uv if need be."""
    text = " ".join((*tried[0], sys.version.partition(" ")[0]))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = cache_directory() / "environments" / digest
    interpreter = folder / "bin" / "python"
    for number, requirements in enumerate(tried, 1):
        if interpreter.exists():
            break
        if on_making is not None:
            on_making(" ".join(requirements))
        try:
            _make(folder, requirements)
        except _DoNotWork as error:
            if number == len(tried):
                raise AdapterError(str(error)) from error
    return str(interpreter)


class _DoNotWork(Exception):
    """The frameworks do not work together."""


def _make(folder: Path, requirements: tuple[str, ...]) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        msg = (
            f"an environment with {' '.join(requirements)} is made by uv, which is not here: "
            "`pip install uv`, or make it yourself and name it by its path, as in flax@./my-venv."
        )
        raise AdapterError(msg)
    making = folder.with_name(f"{folder.name}.{os.getpid()}")  # another process may make it, too
    python = str(making / "bin" / "python")
    try:
        making.parent.mkdir(parents=True, exist_ok=True)
        _run_uv([uv, "venv", "--quiet", "--python", sys.executable, str(making)])
        _run_uv([uv, "pip", "install", "--quiet", "--python", python, *requirements])
        if problem := _why_unusable(python):
            raise _DoNotWork(f"{' and '.join(requirements)} do not work together: {problem}")
        making.rename(folder)
    except OSError as error:
        if not (folder / "bin" / "python").exists():
            raise AdapterError(f"{folder}: cannot be made: {error.strerror}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _why_unusable(python: str) -> str:
    """Return why flax cannot compile a function with its JAX; empty if it can."""
    done = subprocess.run([python, "-c", _COMPILE], capture_output=True, text=True, check=False)  # noqa: S603
    said = done.stderr.strip().splitlines() or ["it ended without a word"]
    return "" if done.returncode == 0 else printable(said[-1])[:300]


def _run_uv(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = " ".join(done.stderr.replace("╰─▶", "").replace("×", "").split())
        wanted = " ".join(command[6:]) if command[1] == "pip" else "an environment"
        raise AdapterError(f"uv cannot install {wanted}: {printable(said)[:600]}")


@cache
def _probe(interpreter: str) -> tuple[tuple[str, str], ...]:
    """Return what is installed for an interpreter, as pairs of names and versions."""
    command = [interpreter, "-c", _PROBE, *SHOWN]
    try:
        done = subprocess.run(  # noqa: S603  named by the user
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
        listed = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        msg = f"{interpreter!r} does not run Python: {printable(str(error))[:200]}"
        raise AdapterError(msg) from error
    return tuple((str(name), printable(str(number))) for name, number in listed.items())


def _check(interpreter: str) -> None:
    """Refuse an environment that lacks something, or has it in a version that is too old."""
    found = dict(_probe(interpreter))
    if _numbers(found["python"]) < _LOWEST_PYTHON:
        lowest = ".".join(map(str, _LOWEST_PYTHON))
        msg = f"{interpreter} is Python {found['python']}; the suite needs {lowest} or newer there"
        raise AdapterError(msg)
    lowest_versions = _lowest_versions()
    for name in NEEDED:
        lowest = lowest_versions.get(name, "0")
        there = f"has {name} {found[name]}" if name in found else f"has no {name}"
        if name not in found or _numbers(found[name]) < _numbers(lowest):
            msg = (
                f"{interpreter} {there}; the suite needs {name} {lowest} or newer there: "
                f"`uv pip install --python {interpreter} '{name}>={lowest}'`"
            )
            raise AdapterError(msg)


def _lowest_versions() -> dict[str, str]:
    """Return the lowest version of each distribution that the suite supports."""
    try:
        rows = requires(SUITE) or []
    except PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+)>=([\d.]+)$", row) for row in rows)
    return {each[1]: each[2] for each in found if each is not None}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:3]))
