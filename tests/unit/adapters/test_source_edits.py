"""Edits of a source, and what they leave alone."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from conformance.adapters.operations.default_edits import defaulting
from conformance.adapters.operations.other_expressions import Rank
from conformance.adapters.operations.source_edits import edits_of

SOURCE = """
class Norm:
    def __call__(self, x, training):
        mean = jnp.mean(x, axis=0, keepdims=True)
        if training and self.track:
            self.mean[...] = 0.9 * self.mean[...] + 0.1 * mean
        return x - mean
"""
NAMES = {"mean": "var", "var": "mean"}


def _texts(source: str, rank: Rank) -> set[str]:
    return {edit.text for edit in edits_of(ast.parse(source), NAMES) if edit.rank == rank}


@pytest.mark.parametrize(
    ("rank", "text"),
    [
        (Rank.CALL, "jnp.mean(x, axis=0)"),
        (Rank.CHOICE, "training or self.track"),
        (Rank.CHOICE, "self.track"),
        (Rank.VALUE, "jnp.mean(x, axis=1, keepdims=True)"),
        (Rank.OPERATION, "mean - x"),
        (Rank.OPERATION, "x + mean"),
        (Rank.GUARD, "self.mean[...] = 0.9 * self.mean[...] + 0.1 * mean"),
        (Rank.SIBLING, "self.var[...] = 0.9 * self.var[...] + 0.1 * var"),
        (Rank.FACTOR, "2 * (x - mean)"),
        (Rank.NAME, "training - mean"),
    ],
)
def test_edits_have_a_rank_and_a_text(rank: Rank, text: str):
    """The text is that of what is shown, after the edit."""
    texts = _texts(SOURCE, rank)
    assert any(text in each or each == text for each in texts), texts


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("z = z + b\n    z = z * g\n    return z", "z = z * g; z = z + b"),
        ("z = z + b\n    return z * g", "z = z * g; return z + b"),
        ("b, g = f(z)\n    return z", "g, b = f(z)"),
    ],
)
def test_statements_are_exchanged(body: str, text: str):
    """And so are the names that results are given to; what is returned stays the last."""
    edits = edits_of(ast.parse(f"def f(z, b, g):\n    {body}\n"), NAMES)
    assert text in {edit.text for edit in edits}


@pytest.mark.parametrize(
    ("source", "rank", "text"),
    [
        ("def f(x, unbiased=True):\n    return x\n", Rank.CHOICE, "unbiased = False"),
        ("def f(x, *, ddof: int = 1):\n    return x\n", Rank.VALUE, "ddof: int = 0"),
        ("A = P()\nB = P(1)\nC = 3\ndef f(p=A):\n    return p\n", Rank.CHOICE, "p = B"),
        ("def f(s):\n    s._replace(var=1)\n", Rank.OPERATION, "s = s._replace(var=1)"),
        ("def f(s):\n    s.at[0].set(1)\n", Rank.OPERATION, "s = s.at[0].set(1)"),
        ("def f(s, r):\n    s.update(mean=r.mean)\n", Rank.SIBLING, "var=r.var"),
        ("def f(m):\n    return g(x, weight=m)\n", Rank.CHOICE, "weight=1 - m"),
        ("def f(m):\n    return tuple(i for i in range(n) if i != m)\n", Rank.CHOICE, "m % n"),
        ("def f(x, m):\n    d = x - m\n    m = m + d\n    return d * d\n", Rank.OPERATION, "x - m"),
        (
            "def f(x, s):\n    d = x - s.m\n    m = s.m + d\n    return d * d\n",
            Rank.OPERATION,
            "x - m",
        ),
        ("def f(v, n):\n    return v * (n - 1) / n\n", Rank.OPERATION, "v * n / (n - 1)"),
        ("def f(x, d):\n    return jnp.reshape(x, (d, -1))\n", Rank.CALL, "x.T"),
        ("def f(x, d):\n    return x.reshape(d)\n", Rank.CALL, "x.swapaxes(0, 1)"),
        ("def f(o):\n    return DEFAULTS | o\n", Rank.CALL, "o | DEFAULTS"),
        ("def f(o):\n    return {**o, **DEFAULTS}\n", Rank.CALL, "{**DEFAULTS, **o}"),
        ("def f(o):\n    return {**o, 'eps': 1}\n", Rank.CALL, "{'eps': 1, **o}"),
        ("def f(a, b):\n    return [a, b]\n", Rank.VALUE, "[b, a]"),
        ("def f(a):\n    return a or self.a\n", Rank.CALL, "self.a if a is None else a"),
        ("def f(s, m):\n    v = s\n    return v\n", Rank.TERM, "v = s - m ** 2"),
        ("def f(s, r):\n    return s[:, 0]\n", Rank.PRODUCT, "(s * r)[:, 0]"),
        (
            "def f(v, e):\n    r = rsqrt(v + e)\n    return r * (3 - v * r * r) / 2\n",
            Rank.OPERATION,
            "(v + e) * r",
        ),
        ("def f(s, k):\n    g(s, k)\n    h(x)\n    g(s)\n", Rank.CALL, "g(s, k)"),
        (
            "def f(s, x):\n    m = mean(x)\n    s.m[...] = 0.9 * s.m[...] + m\n"
            "    return norm(x, s.m[...])\n",
            Rank.CHOICE,
            "norm(x, m)",
        ),
        ("def f(w, g):\n    a = w.m()\n    b = w.v()\n", Rank.NAMES, "a = g.m(); b = g.v()"),
        (
            "class C:\n"
            "    def __init__(self):\n"
            "        self.a = V(0)\n        self.b = V(0)\n        self.c = V(0)\n"
            "    def reset(self):\n"
            "        self.a[...] = 0\n        self.b[...] = 0\n",
            Rank.SIBLING,
            "self.c[...] = 0",
        ),
        ("def f(t):\n    if a:\n        g(t)\n", Rank.GUARD, "a"),
        ("def f(t):\n    if t:\n        g(t)\n", Rank.GUARDS, "g(t)"),
    ],
)
def test_what_is_forgotten_is_edited(source: str, rank: Rank, text: str):
    """A default, a result, the other statistic, a condition; who gets a flag looks at it."""
    assert any(text in each for each in _texts(source, rank)), _texts(source, rank)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def f(m, x):\n    return g(1 - m, x, weight=m)\n", "weight=1 - m"),
        ("def f(m):\n    return g(m=m)\n", "m=1 - m"),
        ("def f(a, m):\n    d = a - m\n    return d * d\n", "d * (a - m)"),
        ("def f(c, a, b):\n    return jnp.where(c, a, b)\n", "jnp.where(a, c, b)"),
    ],
)
def test_what_is_surely_meant_is_left(source: str, text: str):
    """A weight beside its complement or under its name, a value that is current, a condition."""
    assert not any(text in edit.text for edit in edits_of(ast.parse(source), NAMES))


def test_names_of_another_kind_are_no_defaults():
    """And neither is a default where a keyword must be given."""
    source = "A = P()\nC = 3\ndef f(p=A, *, q):\n    return p\n"
    assert not any("p = " in text for text in _texts(source, Rank.CHOICE))


def test_the_source_is_as_before():
    """Edits are made for a while only, and the usual ones come first."""
    tree = ast.parse(SOURCE)
    before = ast.dump(tree)
    edits = edits_of(tree, NAMES)
    for edit in edits:
        with edit.made():
            assert ast.dump(tree) != before, edit.text
        assert ast.dump(tree) == before
    assert [edit.rank for edit in edits] == sorted(edit.rank for edit in edits)


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    while x > 1:\n        x -= 1\n    return x\n",
        "def f(x):\n    return lax.while_loop(lambda x: x > 1, lambda x: x - 1, x)\n",
    ],
)
def test_loops_that_may_never_end_are_left_alone(source: str):
    """Neither their conditions nor what these depend on are edited."""
    assert edits_of(ast.parse(source), NAMES) == []


def test_a_default_is_another_one_for_a_while():
    """Whatever holds the function; a name that is missing where it is used changes nothing."""
    source = "a = str()\nb = str(1)\n\ndef f(p=a, *, q=True):\n    return p, q\n"
    names: dict[str, Any] = {}
    exec(compile(source, "norm.py", "exec"), names)
    function, results = names["f"], set()
    defaults = (e for e in edits_of(ast.parse(source), {}) if isinstance(e.holder, ast.arguments))
    for edit in [*defaults]:
        with defaulting(edit, "norm.py", [function]) as changed:
            results.add((changed, *function()))
        assert function() == ("", True)
    assert results == {(True, "1", True), (True, "", False)}
    del names["b"]
    edits = [edit for edit in edits_of(ast.parse(source), {}) if edit.text == "p = b"]
    with defaulting(edits[0], "norm.py", [function]) as changed:
        assert not changed


@pytest.mark.parametrize("call", ["os.remove(a, b)", "open(a, 'w')", "subprocess.run(a, b)"])
def test_what_reaches_out_is_left_alone(call: str):
    """No other file is removed, and no other program is run."""
    assert edits_of(ast.parse(f"def f(a, b):\n    {call}\n"), NAMES) == []


@pytest.mark.parametrize(
    "source",
    ["def f(x, parts=4):\n    return x\n", "def f(x):\n    return split(x, 8)\n"],
)
def test_a_size_is_not_set_to_one(source: str):
    """With a single part, what is wrong with parts does not show."""
    edits = [each for rank in Rank for each in _texts(source, rank)]
    assert not any("parts = 1" in each or "split(x, 1)" in each for each in edits)
