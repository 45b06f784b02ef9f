"""Names of environments, and what is refused before anything is judged in one."""

from __future__ import annotations

import json
import shutil
import sys

import flax
import jax
import pytest

from conformance.adapters.errors import AdapterError
from conformance.engine import environments
from conformance.engine.devices import split_device
from conformance.engine.environments import Place, find_interpreter, split_place
from conformance.frontends.environment_check import expand_environments
from conformance.frontends.options import OptionError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flax", ("flax", "", "")),
        ("flax@0.12.1", ("flax", "0.12.1", "")),
        ("flax@0.12.1@gpu:1", ("flax", "0.12.1", "gpu:1")),
        ("flax@gpu", ("flax", "", "gpu")),
        ("torch-1d@2.13.0+cpu", ("torch-1d", "2.13.0+cpu", "")),
        ("mlx@mlx[cpu]==0.29.0", ("mlx", "mlx[cpu]==0.29.0", "")),
        ("n.py:N@jax==0.9.0,flax==0.12.1", ("n.py:N", "jax==0.9.0,flax==0.12.1", "")),
        ("n.py:N@../other/.venv/bin/python@cpu", ("n.py:N", "../other/.venv/bin/python", "cpu")),
        ("me@host/n.py:N", ("me@host/n.py:N", "", "")),
        ("me@host/n.py:N@./venv", ("me@host/n.py:N", "./venv", "")),
        ("@0.12.1", ("@0.12.1", "", "")),
        ("command:ssh me@host", ("command:ssh me@host", "", "")),
        ("command:a@0.12.1", ("command:a@0.12.1", "", "")),
    ],
)
def test_a_name_may_contain_an_environment(name, expected):
    """It is a path with a slash, a version, or requirements; a command has none."""
    assert split_place(name) == Place(*expected)


def test_a_version_is_no_device():
    """Both follow an @."""
    assert split_device("flax@0.12.1") == ("flax@0.12.1", "")


def test_python_is_added_before_the_device():
    """The option and the name mean the same."""
    found = expand_environments(("impl@cpu",), (sys.prefix, sys.executable), "--python")
    assert found == (f"impl@{sys.prefix}@cpu", f"impl@{sys.executable}@cpu")
    assert expand_environments(("impl@cpu",), (), "--python") == ("impl@cpu",)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("impl@./nowhere", r"there is no interpreter 'nowhere'\. Name the folder of a virtual"),
        ("impl@/etc", r"no interpreter '/etc/bin/python'"),
        ("impl@/bin/true", "'/bin/true' does not run Python"),
        ("impl@1.2", r"of which package is 1\.2 the version\? Say impl@PACKAGE==1\.2"),
        ("n.py:N@1.2", r"Say n\.py:N@PACKAGE==1\.2"),
    ],
)
def test_an_environment_that_cannot_be_used_is_an_error(name, message):
    """The message names the value, the rule and the next step."""
    with pytest.raises(OptionError, match=message):
        expand_environments((name,), (), "--python")


@pytest.mark.parametrize(
    ("name", "message"),
    [("impl@./a", "has an environment already"), ("command:a", "is a command")],
)
def test_one_environment_each(name, message):
    """The option cannot be combined with a name that has one."""
    with pytest.raises(OptionError, match=message):
        expand_environments((name,), ("venv",), "--python")


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        ({"python": "3.9.2"}, r"is Python 3\.9\.2; the suite needs 3\.11 or newer"),
        ({"python": "3.12.0", "jax": "0.10.0"}, r"has no flax; the suite needs flax 0\.12\.1"),
        (
            {"python": "3.12.0", "jax": "0.10.0", "flax": "0.10.2"},
            r"has flax 0\.10\.2; .*uv pip install --python .* 'flax>=0\.12\.1'",
        ),
        ({"python": "3.12.0", "jax": "0.9.0", "flax": "0.13"}, "has no numpy"),
    ],
)
def test_what_an_environment_lacks_is_an_error(tmp_path, versions, message):
    """Versions are listed without importing anything."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{json.dumps(versions)}'\n")
    python.chmod(0o755)
    with pytest.raises(AdapterError, match=message):
        find_interpreter(split_place(f"impl@{python}"))


def test_without_uv_no_environment_is_made(monkeypatch, tmp_path):
    """The message says what to do instead."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(AdapterError, match=r"flax==0\.12\.1 .*made by uv, .*pip install uv"):
        find_interpreter(split_place("flax@0.12.1"))


def test_what_uv_says_is_shown(monkeypatch, tmp_path):
    """An environment that cannot be made leaves nothing behind."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\n[ "$1" = venv ] && exit 0\necho "no version 99" >&2\nexit 1\n')
    uv.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: str(uv))
    with pytest.raises(AdapterError, match=r"uv cannot install dm-haiku==99 .*no version 99"):
        find_interpreter(split_place("haiku@99"))
    assert list((tmp_path / "batchnorm-conformance" / "environments").iterdir()) == []


def test_a_name_of_an_earlier_version_names_its_replacement():
    """With its environment, before one is looked for."""
    with pytest.raises(AdapterError, match=r"'flax-wide@0\.12\.1' is now 'flax@0\.12\.1': every"):
        find_interpreter(split_place("flax-wide@0.12.1"))


def test_flax_that_does_not_work_with_its_jax_is_an_error(tmp_path):
    """A layer is not to blame for it."""
    python = tmp_path / "python"
    versions = {"python": "3.12.0", "jax": "0.10.2", "flax": "0.12.1", "numpy": "2.4"}
    fails = "case $2 in *jit*) echo TypeError: no >&2; exit 1;; esac"
    python.write_text(f"#!/bin/sh\n{fails}\necho '{json.dumps(versions)}'\n")
    python.chmod(0o755)
    with pytest.raises(OptionError, match=r"flax 0\.12\.1 does not work with jax 0\.10\.2: Type"):
        expand_environments((f"impl@{python}",), (), "--python")


def test_an_older_jax_is_taken_if_flax_does_not_work_with_this_one(monkeypatch, tmp_path):
    """JAX is chosen only where it is not named."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked: list[tuple[str, ...]] = []

    def make(_, requirements):
        asked.append(requirements)
        raise environments._DoNotWork(f"{requirements} do not work together")

    monkeypatch.setattr(environments, "_make", make)
    with pytest.raises(AdapterError, match="do not work together"):
        find_interpreter(split_place("flax@0.12.1"))
    assert [one[1] for one in asked] == [f"jax=={jax.__version__}", "jax==0.8.1"]
    with pytest.raises(AdapterError, match="do not work together"):
        find_interpreter(split_place("impl@jax==0.9.0"))
    assert asked[2:] == [(f"flax=={flax.__version__}", "jax==0.9.0")]


def test_the_oldest_versions_are_those_of_the_project():
    """They are read from the metadata of the suite."""
    assert environments._lowest_versions()["flax"] == "0.12.1"
