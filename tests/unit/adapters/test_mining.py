"""Numbers of a source: which are found, in which order, and what is left alone."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import pytest
from flax import nnx

from conformance.adapters.mining import MOST, mine
from conformance.adapters.resolve import resolve
from impl import flax, reference

SOURCE = '''
import math
import helper
from helper import cut

LIMIT = 5000

def mean(x):
    return x[:128].mean() if x.size > 1 << 12 else cut(x)

class Norm:
    """The 77 of a docstring does not count."""

    rate = -0.25

    def __call__(self, x, axis=0):
        if len(x) > LIMIT:
            return helper.slow(x) * 1e-3
        return mean(x) + True + math.pi

def unused(x):
    return x * 31
'''

HELPER = """
SIZES = (300, 700)

def cut(x):
    return x.clip(-8.5, 8.5)

def slow(x):
    return x[: 64 * 1024] if len(x) in SIZES else x

def forgotten(x):
    return x * 13
"""


@pytest.fixture
def norm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    """A class in its own file, and a module beside it that it imports from."""
    (tmp_path / "mined_norm.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "helper.py").write_text(HELPER, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("mined_norm", "helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return __import__("mined_norm").Norm


def test_numbers_are_found_where_they_are_used(norm: type):
    """Of the class and of what it uses, itself first; named constants and products count."""
    assert mine(norm) == (0.25, 5000, 0.001, 300, 700, 65536, 4096, 128, 8.5)


def test_partials_and_methods_are_seen_through(norm: type):
    """What is read is the function behind them."""
    assert mine(functools.partial(norm, 3)) == mine(norm)
    assert set(mine(norm().__call__)) == {5000, 0.001, 65536, 300, 700, 128, 4096, 8.5}


def test_there_is_a_limit():
    """A long table of numbers gives its first ones."""

    def lookup(x: int) -> int:
        table = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22)
        return table[x]

    assert mine(lookup) == tuple(range(3, 3 + MOST))


@pytest.mark.parametrize("judged", [len, nnx.Module, eval("lambda x: x > 5000")])
def test_what_cannot_be_read_has_no_numbers(judged: object):
    """Built-in functions and code without a file; of a framework only the class itself is read."""
    assert set(mine(judged)) <= {5000}


def test_implementations_have_the_numbers_of_layer_and_function():
    """The reference has those of its function, flax's layer those of its own class alone."""
    assert reference().mined == (0.9, 1e-5, 0.5)
    assert set(flax().mined) == {0.99, 1e-5}
    assert resolve("fault:first-1000-rows").mined == (1000,)
