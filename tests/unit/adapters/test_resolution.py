"""From a name to an implementation: every way to succeed."""

from __future__ import annotations

import numpy as np
import pytest
from support.written_modules import FLAX_SHAPED, OBJECT, SEED_SHAPED, Write

from conformance.adapters.protocols import Config
from conformance.adapters.resolve import find_registered, resolve


def assert_works(name: str) -> None:
    """Assert that the layer of an implementation can be built and called."""
    layer = resolve(name).build(Config(features=2))
    assert np.shape(layer(np.ones((3, 2), np.float32), False)) == (3, 2)
    assert set(layer.read()) == {"gamma", "beta", "running_mean", "running_var"}


@pytest.mark.parametrize("name", ["impl", "flax", "flax-default"])
def test_registered_names_resolve(name: str):
    """The implementations of this project are registered under their names."""
    assert name in find_registered()
    assert resolve(name).name == name


def test_seed_shaped_modules_resolve(write: Write):
    """A class with d, momentum, eps and rngs is recognised, called by the name that was given."""
    write("mine.py", SEED_SHAPED)
    found = resolve("mine:Norm")
    assert (found.name, found.kind) == ("mine:Norm", "seed-shaped nnx.Module")
    offered = {capability.value for capability in found.capabilities}
    beyond = {"forward mode", "forward over reverse", "second derivatives"}
    assert offered == beyond | {
        *("grad", "layer", "nnx", "nnx grad", "transforms", "transforms grad")
    }
    assert_works("mine:Norm")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_modules_that_write_by_value_resolve(write: Write):
    """It does not matter how a module reads and writes its Variables."""
    write("mine_by_value.py", SEED_SHAPED.replace("[...]", ".value"))
    assert_works("mine_by_value:Norm")


def test_flax_shaped_modules_resolve(write: Write):
    """A subclass of ``nnx.BatchNorm`` is recognised by the names of flax."""
    write("theirs.py", FLAX_SHAPED)
    assert resolve("theirs:Norm").kind == "flax-shaped nnx.Module"
    assert_works("theirs:Norm")


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
    assert_works("objects:norm")


MAKERS = """
import functools
from flax import nnx

partial = functools.partial(nnx.BatchNorm, use_fast_variance=False)


def make(num_features, momentum, epsilon, rngs):
    return partial(num_features, momentum=momentum, epsilon=epsilon, rngs=rngs)


def make_default(num_features=8):
    return partial(num_features, rngs=nnx.Rngs(0))
"""


@pytest.mark.parametrize("name", ["partial", "make", "make_default"])
def test_makers_of_modules_resolve(write: Write, name: str):
    """A partial of a class, and a function that returns a module, are read like the class."""
    write("module_makers.py", MAKERS)
    assert_works(f"module_makers:{name}")


def test_makers_resolve(write: Write):
    """A function without arguments is called for the ``Implementation`` that it returns."""
    write("makers.py", OBJECT)
    assert_works("makers:make")


def test_files_resolve(write: Write):
    """A file is named by its path, absolute or not, and may import its siblings."""
    write("deep/sibling.py", OBJECT)
    path = write("deep/file.py", "from sibling import norm\n")
    assert_works("deep/file.py:norm")
    assert_works("./deep/file.py:norm")
    assert_works(f"{path}:norm")


def test_attributes_of_attributes_resolve(write: Write):
    """A dotted attribute is followed."""
    write("nested.py", "import nested_object\n")
    write("nested_object.py", OBJECT)
    assert_works("nested:nested_object.norm")
