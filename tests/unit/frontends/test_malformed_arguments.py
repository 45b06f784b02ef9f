"""Malformed options, filters and names: one clear error each, and nothing overwritten."""

from __future__ import annotations

import pytest
from support.refusing import expect_refusal
from support.sampling import exhaustive

# Options of the command line. Each has to be refused before anything is judged.

OPTIONS = [
    (["run", "-k", "BN-EMQ-1"], "no requirement matches 'BN-EMQ-1'"),
    (["run", "-k", ""], "the filter '' is empty"),
    (["run", "-k", " , "], "the filter ' , ' is empty"),
    (["run", "-k", "EMA,NOPE"], "no requirement matches 'NOPE'"),
    (["run", "-k", "[["], "no requirement matches '[['"),
    (["run", "-k", "ÉMA-\N{SUPERSCRIPT ONE}"], "no requirement matches"),
    (["run", "-k", "\x1b[2J"], r"no requirement matches '\x1b[2J'"),
    (["run", "-k", "AFF", "--level", "should"], "has no requirement of level should"),
    (["run", "--level", "maybe"], "'maybe' is not one of 'must', 'should', 'may'"),
    (["run", "--seed", "-1"], "--seed -1: expected an integer of at least 0"),
    (["run", "--seed", "1.5"], "'1.5' is not a valid integer"),
    (["run", "-j", "0"], "--jobs '0': expected a number of processes"),
    (["run", "-j", "-2"], "--jobs '-2': expected a number of processes"),
    (["run", "-j", "²"], "--jobs '²': expected a number of processes"),
    (["run", "--max-time", "0"], "--max-time 0.0: expected a number of seconds"),
    (["run", "--max-time", "nan"], "--max-time nan: expected a number of seconds"),
    (["run", "--max-time", "soon"], "'soon' is not a valid float"),
    (["run", "--call-timeout", "0"], "--call-timeout 0.0: expected a number of seconds"),
    (["run", "--call-timeout", "nan"], "--call-timeout nan: expected a number of seconds"),
    (["run", "--call-timeout", "1e9"], "greater than 0 and at most 86400"),
    (["run", "--memory-limit", "1"], "--memory-limit 1.0: expected a number of GiB"),
    (["run", "--memory-limit", "nan"], "--memory-limit nan: expected a number of GiB"),
    (["run", "--max-examples", "0"], "--max-examples 0: expected at least 1"),
    (["run", "--profile", "slow"], "'slow' is not one of 'quick', 'default', 'thorough'"),
    (["run", "--report", "."], "'.' is a directory"),
    (["run", "--report", "old.json/x/report.json"], "cannot be written: Not a directory"),
    (["run", "--report", "/proc/none/report.json"], "cannot be written: No such file"),
    (["run", "--junit", "a" * 300 + "/x"], "cannot be written: File name too long"),
    (["run", "--report", "x", "--junit", "./x"], "both write x: name two files"),
    (["run", "\udcff.py:norm"], r"IMPL \udcff.py:norm: not valid UTF-8"),
    (["run", "--frobnicate"], "No such option"),
    (["run", "--shard", "3/2"], "shard '3/2': expected i/n with 1 ≤ i ≤ n"),
    (["run", "--shard", "1/2", "--profile", "thorough"], "Give all shards the same --seed N"),
    (["run", "--html", "x", "--badge", "x"], "both write x: name two files"),
    (["run", "--waivers", "none.toml"], "none.toml is not a waiver file: [Errno 2]"),
    (["run", "--waivers", "."], "is a directory"),
    (["smoke"], "Missing argument"),
    (["replay", "eps1-000000", "--report", "none.json"], "none.json is not a report"),
    (["combine", "-o", "all.json"], "Missing argument"),
    (["combine", "old.json", "-o", "old.json"], "old.json is a shard and would be overwritten"),
    (["diff", "old.json"], "Missing argument"),
    (["waivers", "update"], "Missing option '--report'"),
    (["explain", ""], "is empty"),
    (["explain", "BN-X"], "no requirement matches 'BN-X'"),
]


@pytest.mark.parametrize(("arguments", "message"), OPTIONS)
def test_options(arguments, message, place):
    """A usage error names the value and the rule, and leaves the directory as it was."""
    assert message in expect_refusal(place, *arguments)


# Names of implementations.

FILES = {
    "binary.py": b"\x7fELF\x00\x01\xff",
    "latin.py": "name = 'Größe'\n".encode("latin-1"),
    "syntax.py": b"class Norm(:\n",
    "property.py": b"class A:\n    @property\n    def norm(self):\n        raise OSError('gone')\n"
    b"class B:\n    __slots__ = ()\na, b, n, none = A(), B(), 3, None\n",
}
NAMES = [
    ("", "no implementation is registered as ''"),
    ("imp", "no implementation is registered as 'imp'. Did you mean 'impl'?"),
    (":", "invalid implementation name ':': expected module:attribute"),
    ("a:", "invalid implementation name 'a:'"),
    (":b", "invalid implementation name ':b'"),
    ("a:b c", "invalid implementation name 'a:b c'"),
    ("..a:b", "module '..a' cannot be imported"),
    ("nowhere:norm", "module 'nowhere' cannot be imported: ModuleNotFoundError"),
    ("missing.py:norm", "there is no file 'missing.py'"),
    ("directory.py:norm", "there is no file 'directory.py'"),
    ("x\0y.py:norm", "null byte"),
    ("a" * 5000 + ".py:norm", "File name too long"),
    ("binary.py:norm", "file 'binary.py' cannot be imported"),
    ("latin.py:norm", "file 'latin.py' cannot be imported"),
    ("syntax.py:norm", "file 'syntax.py' cannot be imported: SyntaxError"),
    ("property.py:a.norm", "attribute 'norm' of file 'property.py' cannot be read: OSError: gone"),
    ("property.py:b.norm", "file 'property.py' has no attribute 'norm'"),
    ("property.py:n", "property.py:n is an int"),
    ("property.py:none", "property.py:none is a NoneType"),
    ("builtins:getattr", "builtins:getattr"),
    ("fault:none-such", "none is named 'none-such'"),
]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param(*each, id=repr(each[0][:12]), marks=exhaustive if number % 4 else ())
        for number, each in enumerate(NAMES)
    ],
)
def test_names(name, message, place):
    """A name that leads to nothing that can be judged is refused in one sentence."""
    for file, content in FILES.items():
        (place / file).write_bytes(content)
    (place / "directory.py").mkdir()
    assert message in expect_refusal(place, "smoke", "--", name)
