"""The page about the library: its examples, and a kernel test that sees what another does not."""

from __future__ import annotations

import doctest
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings

from conformance import oracle
from conformance.strategies import cases

DOCS = Path(__file__).parents[3] / "docs"
KERNEL = (DOCS / "library" / "pallas_batch_norm.py").read_text("utf-8")


def test_the_examples_on_the_page_are_right():
    found = doctest.testfile(str(DOCS / "library.md"), module_relative=False)
    assert found.attempted
    assert not found.failed


MISTAKES = {
    "squares from the mean before": (
        "squares += jnp.where(inside, jnp.square(x - center), 0).sum()\n"
        "        squares += jnp.square(delta) * (count * here / both)\n",
        "new = mean + delta * (here / both)\n"
        "        squares += jnp.where(inside, (x - new) * (x - mean), 0).sum()\n",
    ),
    "padded rows": ("dbeta) / rows)", "dbeta) / (rows + -rows % BLOCK))"),
}


def modules(tmp_path: Path, monkeypatch, name: str) -> tuple[ModuleType, ModuleType]:
    """Return the kernel with a mistake, none for an empty name, and the module of its test."""
    old, new = MISTAKES.get(name, ("", ""))
    assert KERNEL.count(old) == 1 or not old
    file = tmp_path / "pallas_batch_norm.py"
    file.write_text(KERNEL.replace(old, new) if old else KERNEL, "utf-8")
    loaded = []
    for path in (file, DOCS / "library" / "test_pallas_batch_norm.py"):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)
        spec.loader.exec_module(module)
        loaded.append(module)
    return loaded[0], loaded[1]


def compare_as_elsewhere(kernel: ModuleType) -> None:
    """Compare on normal random numbers at the tolerances of the published test."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 1016, 3), np.float32)
    gamma, beta = rng.standard_normal((2, 3), np.float32)
    y, mean, rstd = kernel.batch_norm(x, gamma, beta, 1e-5)
    exact, wanted = oracle.batch_norm(x, gamma, beta, 1e-5), oracle.gradients(x, gamma, 1e-5, w)
    np.testing.assert_allclose(y, exact.y, rtol=1.3e-6, atol=1e-5)
    found = kernel.batch_norm_backward(jnp.asarray(w), x, gamma, mean, rstd)
    for gradient, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(gradient, right, rtol=1e-2, atol=1e-3)


def check_by_bounds(tested: ModuleType, examples: int) -> None:
    """Run the test of the page on generated cases, without shrinking failures."""
    claim = tested.test_the_kernel_is_within_its_bounds.hypothesis.inner_test
    few = settings(
        max_examples=examples,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
    )
    few(given(case=cases(tested.SHAPES, eps=1e-5))(lambda case: claim(case, "float32")))()


def test_the_kernel_of_the_page_is_right(tmp_path, monkeypatch):
    kernel, tested = modules(tmp_path, monkeypatch, "")
    compare_as_elsewhere(kernel)
    check_by_bounds(tested, 15)


@pytest.mark.parametrize(
    "name",
    ["squares from the mean before", pytest.param("padded rows", marks=pytest.mark.exhaustive)],
)
def test_bounds_see_what_tolerances_do_not(name, tmp_path, monkeypatch):
    """Each mistake passes the comparison as it is published, and fails by the bounds."""
    kernel, tested = modules(tmp_path, monkeypatch, name)
    compare_as_elsewhere(kernel)
    with pytest.raises(AssertionError, match="error ÷ bound"):
        check_by_bounds(tested, 100)
