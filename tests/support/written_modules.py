"""Modules of users, written into an empty directory and named from there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.adapters.errors import AdapterError
from conformance.adapters.resolve import resolve

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
from support.numpy_norm import NumpyNorm

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
    """Write files into an empty working directory; unload their modules afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    yield write_file
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def resolve_error(name: str) -> str:
    with pytest.raises(AdapterError) as raised:
        resolve(name)
    return str(raised.value)
