"""Names that stand for nothing, and modules that cannot be imported: what each failure says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.written_modules import Write, refusal

from conformance.adapters.resolve import find_registered


def test_unknown_names_are_refused():
    """An unregistered name is answered with the registered ones and the nearest."""
    names = ", ".join(find_registered())
    assert refusal("flaks") == (
        f"no implementation is registered as 'flaks'. Did you mean 'flax'? Registered: {names}. "
        "Anything else is named module:attribute or path/to/file.py:attribute."
    )
    assert refusal("zzz").startswith("no implementation is registered as 'zzz'. Registered: ")


@pytest.mark.parametrize("name", [":", ":norm", "module:", "module:a-b", "module:1", "a.py:"])
def test_malformed_names_are_refused(name: str):
    """A name without one of its halves is refused with both forms."""
    assert refusal(name) == (
        f"invalid implementation name {name!r}: expected module:attribute or "
        "path/to/file.py:attribute."
    )


@pytest.mark.usefixtures("write")
def test_missing_modules_are_refused():
    """A module that is not there is named."""
    assert refusal("no_such_module:norm") == (
        "module 'no_such_module' cannot be imported: ModuleNotFoundError: "
        "No module named 'no_such_module'"
    )


def test_missing_attributes_are_refused(write: Write):
    """A missing attribute is answered with where it was looked for, and the nearest."""
    write("attributes.py", "MyBatchNorm = 1\n")
    assert refusal("attributes:MyBatchnorm") == (
        "module 'attributes' (./attributes.py) has no attribute 'MyBatchnorm'. "
        "Did you mean 'MyBatchNorm'?"
    )
    assert refusal("attributes:zzz") == (
        "module 'attributes' (./attributes.py) has no attribute 'zzz'."
    )
    assert refusal("attributes.py:zzz") == "file 'attributes.py' has no attribute 'zzz'."


def test_missing_files_are_refused(write: Write, tmp_path: Path):
    """A missing file is answered with the directory and the nearest file."""
    write("my_norm.py", "")
    assert refusal("my_nrom.py:Norm") == (
        f"there is no file 'my_nrom.py' in {tmp_path}. Did you mean my_norm.py?"
    )
    assert refusal("nowhere/x.py:Norm") == f"there is no file 'nowhere/x.py' in {tmp_path}."


def test_modules_that_raise_are_refused(write: Write):
    """An exception while importing is named, with file and line."""
    write("broken.py", "\n1 / 0\n")
    said = "cannot be imported: ZeroDivisionError: division by zero (broken.py, line 2)"
    assert refusal("broken:Norm") == f"module 'broken' {said}"
    assert refusal("broken.py:Norm") == f"file 'broken.py' {said}"


def test_files_that_raise_are_not_kept(write: Write):
    """A file that failed to import is imported anew the next time."""
    write("broken_file.py", "1 / 0\n")
    refusal("broken_file.py:Norm")
    assert "broken_file" not in sys.modules


def test_modules_that_do_not_parse_are_refused(write: Write):
    """A syntax error is an import that failed, too."""
    write("unfinished.py", "def f(:\n")
    assert refusal("unfinished:f").startswith(
        "module 'unfinished' cannot be imported: SyntaxError: "
    )
