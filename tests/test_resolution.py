"""From a name to an implementation: every way to succeed, and what each failure says."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from conformance.implementation import AdapterError, Config
from conformance.loading import registered
from conformance.recognition import GUIDE
from conformance.resolution import resolve

SEED_SHAPED = """
import jax.numpy as jnp
from flax import nnx


class Norm(nnx.Module):
    def __init__(self, d, momentum, eps, rngs):
        self.gamma = nnx.Param(jnp.ones(d))
        self.beta = nnx.Param(jnp.zeros(d))
        self.running_mean = nnx.Variable(jnp.zeros(d))
        self.running_var = nnx.Variable(jnp.ones(d))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x, use_running_average):
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = x.mean(0), x.var(0)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
"""

FLAX_SHAPED = """
from flax import nnx


class Norm(nnx.BatchNorm):
    pass
"""

OBJECT = """
from conformance import Implementation
from numpy_norm import NumpyNorm

norm = Implementation(name="its own name", build=NumpyNorm)


def make():
    return norm


def make_nothing():
    return 3


def make_trouble():
    raise OSError("no weights")
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write files into an empty working directory, and forget what they import afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)

    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    yield written
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def refusal(name: str) -> str:
    with pytest.raises(AdapterError) as refused:
        resolve(name)
    return str(refused.value)


def works(name: str) -> None:
    """Assert that the layer of an implementation can be built and called."""
    layer = resolve(name).build(Config(features=2))
    assert np.shape(layer(np.ones((3, 2), np.float32), False)) == (3, 2)
    assert set(layer.read()) == {"gamma", "beta", "running_mean", "running_var"}


# Successes


@pytest.mark.parametrize("name", ["impl", "flax", "flax-default"])
def test_registered_names_resolve(name: str):
    """The implementations of this project are registered under their names."""
    assert name in registered()
    assert resolve(name).name == name


def test_seed_shaped_modules_resolve(write: Write):
    """A class with d, momentum, eps and rngs is recognised, called by the name that was given."""
    write("mine.py", SEED_SHAPED)
    found = resolve("mine:Norm")
    assert (found.name, found.kind) == ("mine:Norm", "seed-shaped nnx.Module")
    offered = {capability.value for capability in found.capabilities}
    assert offered == {"grad", "layer", "nnx", "nnx grad"}
    works("mine:Norm")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_modules_that_write_by_value_resolve(write: Write):
    """It does not matter how a module reads and writes its Variables."""
    write("mine_by_value.py", SEED_SHAPED.replace("[...]", ".value"))
    works("mine_by_value:Norm")


def test_flax_shaped_modules_resolve(write: Write):
    """A subclass of ``nnx.BatchNorm`` is recognised by the names of flax."""
    write("theirs.py", FLAX_SHAPED)
    assert resolve("theirs:Norm").kind == "flax-shaped nnx.Module"
    works("theirs:Norm")


def test_lazy_arrays_are_no_obstacle(write: Write):
    """A module whose arrays appear with the first call is recognised; judging it comes later."""
    body = SEED_SHAPED.replace("def __init__(self, d,", "def build(self, d,")
    lazy = body.replace(
        "    def build",
        "    def __init__(self, d, momentum, eps, rngs):\n"
        "        self.given, self.momentum, self.eps = d, momentum, eps\n\n    def build",
    ).replace(
        "        if use_running_average:",
        "        if not hasattr(self, 'gamma'):\n"
        "            self.build(self.given, self.momentum, self.eps, None)\n"
        "        if use_running_average:",
        1,
    )
    write("lazy.py", lazy)
    assert resolve("lazy:Norm").kind == "seed-shaped nnx.Module"


def test_forward_functions_resolve(write: Write):
    """A function of seed, x and flag is a forward function, under any argument names."""
    write("functions.py", "def f(a, b, c, d=None):\n    return b\n")
    found = resolve("functions:f")
    assert (found.build, found.kind) == (None, "forward function")
    assert found.forward(0.0, 7, 1.0) == 7


def test_objects_resolve(write: Write):
    """An ``Implementation`` is taken as it is, under the name that was given."""
    write("objects.py", OBJECT)
    assert resolve("objects:norm").name == "objects:norm"
    works("objects:norm")


def test_makers_resolve(write: Write):
    """A function without arguments is called for the ``Implementation`` that it returns."""
    write("makers.py", OBJECT)
    works("makers:make")


def test_files_resolve(write: Write):
    """A file is named by its path, absolute or not, and may import its siblings."""
    write("deep/sibling.py", OBJECT)
    path = write("deep/file.py", "from sibling import norm\n")
    works("deep/file.py:norm")
    works("./deep/file.py:norm")
    works(f"{path}:norm")


def test_attributes_of_attributes_resolve(write: Write):
    """A dotted attribute is followed."""
    write("nested.py", "import nested_object\n")
    write("nested_object.py", OBJECT)
    works("nested:nested_object.norm")


# Failures


def test_unknown_names_are_refused():
    """An unregistered name is answered with the registered ones and the nearest."""
    names = ", ".join(registered())
    assert refusal("flaks") == (
        f"no implementation is registered as 'flaks'. Did you mean 'flax'? Registered: {names}. "
        "Anything else is named module:attribute or path/to/file.py:attribute."
    )
    assert refusal("zzz").startswith("no implementation is registered as 'zzz'. Registered: ")


@pytest.mark.parametrize("name", [":", ":norm", "module:", "module:a-b", "module:1", "a.py:"])
def test_malformed_names_are_refused(name: str):
    """A name without one of its halves is refused with both forms."""
    assert refusal(name) == (
        f"{name!r} is no name: expected module:attribute or path/to/file.py:attribute."
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


def test_other_classes_are_refused(write: Write):
    """A class that is no ``nnx.Module`` is answered with how to wrap it."""
    write("classes.py", "class Norm:\n    pass\n")
    assert refusal("classes:Norm") == (
        "classes:Norm is the class Norm, which is no nnx.Module. Wrap it in an Implementation "
        f"object with `build`, a function from Config to Layer; {GUIDE}"
    )


def test_other_attribute_names_are_refused(write: Write):
    """A module with names of its own is answered with the call that gives them."""
    names = {"gamma": "weight", "beta": "bias", "running_mean": "mu", "running_var": "var_"}
    text = SEED_SHAPED
    for ours, own in names.items():
        text = text.replace(f"self.{ours}", f"self.{own}")
    write("renamed.py", text)
    assert (
        refusal("renamed:Norm")
        == f"""\
renamed:Norm is an nnx.Module that fits neither known shape.
  Built as cls(d=3, momentum=0.9, eps=1e-05, rngs=…): ok
  Expected attributes gamma, beta, running_mean, running_var; found weight, bias, mu, var_.
  Name them: Implementation.nnx(Norm, gamma=…, beta=…, running_mean=…, running_var=…), and run \
that object instead.
  As flax-shaped nnx.Module: its constructor does not take \
cls(num_features=3, momentum=0.9, epsilon=1e-05, rngs=…).
  {GUIDE}"""
    )


def test_other_constructors_are_refused(write: Write):
    """A module that takes other arguments is answered with both known constructors."""
    text = SEED_SHAPED.replace("(self, d, momentum, eps, rngs)", "(self, d, momentum, eps, axis)")
    write("other.py", text)
    assert (
        refusal("other:Norm")
        == f"""\
other:Norm is an nnx.Module that fits neither known shape.
  As seed-shaped nnx.Module: its constructor does not take \
cls(d=3, momentum=0.9, eps=1e-05, rngs=…).
  As flax-shaped nnx.Module: its constructor does not take \
cls(num_features=3, momentum=0.9, epsilon=1e-05, rngs=…).
  {GUIDE}"""
    )


def test_constructors_that_raise_are_refused(write: Write):
    """An exception while building is named, with how it was built."""
    text = SEED_SHAPED.replace("        self.momentum,", "        raise KeyError('x')\n        #")
    write("raising.py", text)
    said = refusal("raising:Norm")
    assert said.startswith("raising:Norm, built as cls(d=3, momentum=0.9, eps=1e-05, rngs=…), ")
    assert re.search(r"KeyError: 'x' \(raising\.py, line \d+\)$", said)


def test_other_functions_are_refused(write: Write):
    """A function that cannot take seed, x and flag is shown with its signature."""
    write("signatures.py", "def f(x):\n    return x\n")
    assert refusal("signatures:f") == (
        "signatures:f(x) is no forward function: it must be callable as "
        f"f(seed, x, use_running_average). {GUIDE}"
    )


def test_makers_of_other_things_are_refused(write: Write):
    """A function without arguments that returns something else is refused by what it gave."""
    write("makers_of.py", OBJECT)
    assert refusal("makers_of:make_nothing") == (
        "makers_of:make_nothing() returned an int: expected an Implementation object."
    )


def test_makers_that_raise_are_refused(write: Write):
    """A function without arguments that raises has failed, and was imported all the same."""
    path = write("makers_in_trouble.py", OBJECT)
    line = path.read_text().splitlines().index('    raise OSError("no weights")') + 1
    said = refusal("makers_in_trouble:make_trouble")
    assert said == (
        "makers_in_trouble:make_trouble() failed: OSError: no weights "
        f"(makers_in_trouble.py, line {line})"
    )


def test_other_objects_are_refused(write: Write):
    """Anything else is refused by its type, with what was expected."""
    write("things.py", "thing = [1]\nother = 1.5\n")
    for name, kind in (("thing", "a list"), ("other", "a float")):
        assert refusal(f"things:{name}") == (
            f"things:{name} is {kind}: expected an Implementation object, an nnx.Module class or "
            f"a function f(seed, x, use_running_average). {GUIDE}"
        )
