"""A correct layer whose methods are replaced by wrong ones, and the source of a line in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conformance.diagnosis.lines.line import Line

BASE = """
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class Base(nnx.Module):
    def __init__(self, d, momentum, eps, rngs):
        self.momentum, self.eps = momentum, eps
        self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
        self.running_mean = nnx.Variable(jnp.zeros(d))
        self.running_var = nnx.Variable(jnp.ones(d))

    def __call__(self, x, use_running_average):
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = self.moments(x)
            self.running_mean[...] = self.moved(self.running_mean[...], mean)
            self.running_var[...] = self.moved(self.running_var[...], var)
        return self.gamma[...] * self.normalize(x, mean, var) + self.beta[...]

    def moments(self, x):
        return x.mean(0), x.var(0)

    def moved(self, old, new):
        return self.momentum * old + (1 - self.momentum) * new

    def normalize(self, x, mean, var):
        return (x - mean) / jnp.sqrt(var + self.eps)
"""

Find = Callable[..., list[Line | None]]
"""Finds the lines of a class with some methods; ``name`` is that of its module."""


def source_at(line: Line) -> str:
    """Return what the file has at the place of a line, on one line."""
    rows = Path(line.file).read_text(encoding="utf-8").splitlines()[line.line - 1 : line.end_line]
    rows[-1] = rows[-1][: line.end_column - 1]
    rows[0] = rows[0][line.column - 1 :]
    return " ".join(" ".join(rows).split())
