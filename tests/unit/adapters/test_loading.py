"""Names without a meaning, and modules that cannot be imported: the message for each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.written_modules import Write, resolve_error

from conformance.adapters.former_names import RENAMED
from conformance.adapters.resolve import find_registered, resolve


def test_unknown_names_are_refused():
    """An unregistered name is answered with the registered ones and the nearest."""
    names = ", ".join(find_registered())
    assert resolve_error("flaks") == (
        f"no implementation is registered as 'flaks'. Did you mean 'flax'? Registered: {names}. "
        "Anything else is named module:attribute or path/to/file.py:attribute."
    )
    assert resolve_error("zzz").startswith("no implementation is registered as 'zzz'. Registered: ")


@pytest.mark.parametrize("name", RENAMED)
def test_a_name_of_an_earlier_version_names_its_replacement(name: str):
    """The message says what to type instead, and that it is known."""
    assert resolve_error(name).startswith(
        f"{name!r} is now {RENAMED[name]!r}: every entry is judged"
    )
    assert RENAMED[name] in find_registered() or resolve(RENAMED[name]).wider


@pytest.mark.parametrize("name", [":", ":norm", "module:", "module:a-b", "module:1", "a.py:"])
def test_malformed_names_are_refused(name: str):
    """A name without one of its halves is refused with both forms."""
    assert resolve_error(name) == (
        f"invalid implementation name {name!r}: expected module:attribute or "
        "path/to/file.py:attribute."
    )


@pytest.mark.usefixtures("write")
def test_missing_modules_are_refused():
    """A module that is not there is named."""
    assert resolve_error("no_such_module:norm") == (
        "module 'no_such_module' cannot be imported: ModuleNotFoundError: "
        "No module named 'no_such_module'"
    )


def test_missing_attributes_are_refused(write: Write):
    """A missing attribute is answered with where it was looked for, and the nearest."""
    write("attributes.py", "MyBatchNorm = 1\n")
    assert resolve_error("attributes:MyBatchnorm") == (
        "module 'attributes' (./attributes.py) has no attribute 'MyBatchnorm'. "
        "Did you mean 'MyBatchNorm'?"
    )
    assert resolve_error("attributes:zzz") == (
        "module 'attributes' (./attributes.py) has no attribute 'zzz'."
    )
    assert resolve_error("attributes.py:zzz") == "file 'attributes.py' has no attribute 'zzz'."


def test_missing_files_are_refused(write: Write, tmp_path: Path):
    """A missing file is answered with the directory and the nearest file."""
    write("my_norm.py", "")
    assert resolve_error("my_nrom.py:Norm") == (
        f"there is no file 'my_nrom.py' in {tmp_path}. Did you mean my_norm.py?"
    )
    assert resolve_error("nowhere/x.py:Norm") == f"there is no file 'nowhere/x.py' in {tmp_path}."


def test_modules_that_raise_are_refused(write: Write):
    """An exception while importing is named, with file and line."""
    write("broken.py", "\n1 / 0\n")
    reason = "cannot be imported: ZeroDivisionError: division by zero (broken.py, line 2)"
    assert resolve_error("broken:Norm") == f"module 'broken' {reason}"
    assert resolve_error("broken.py:Norm") == f"file 'broken.py' {reason}"


def test_files_that_raise_are_not_kept(write: Write):
    """A file that failed to import is imported anew the next time."""
    write("broken_file.py", "1 / 0\n")
    resolve_error("broken_file.py:Norm")
    assert "broken_file" not in sys.modules


def test_modules_that_do_not_parse_are_refused(write: Write):
    """A syntax error is an import that failed, too."""
    write("unfinished.py", "def f(:\n")
    assert resolve_error("unfinished:f").startswith(
        "module 'unfinished' cannot be imported: SyntaxError: "
    )
