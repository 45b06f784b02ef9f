"""Correct but unusual forward functions conform at every size, order, call and container."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, select
from conformance.requirements.verdict import Outcome

_RESULTS: dict[Any, Any] = {}


def remembers_all_of_it(seed: Any, x: Any, flag: Any) -> Any:
    """Results are remembered by the mode and every byte of x."""
    batch = np.asarray(x)
    key = flag >= 0.5, batch.shape, batch.tobytes()
    if key not in _RESULTS:
        _RESULTS[key] = compiles(seed, x, flag)
    return _RESULTS[key]


def adds_row_by_row(seed: Any, x: Any, flag: Any) -> Any:
    """NumPy in float32, with sums in the order of the rows."""
    del seed
    batch = np.asarray(x)
    if flag >= 0.5:
        return (batch / np.float32(np.sqrt(1 + 1e-5))).ravel()
    count = np.float32(len(batch))
    centered = batch - np.cumsum(batch, axis=0, dtype=np.float32)[-1] / count
    var = np.cumsum(centered * centered, axis=0, dtype=np.float32)[-1] / count
    return (centered / np.sqrt(var + np.float32(1e-5))).ravel()


def compiles(seed: Any, x: Any, flag: Any) -> Any:
    """One compiled program for each shape and mode."""
    del seed
    return _compiled(jnp.asarray(x), evaluate=bool(flag >= 0.5))


@partial(jax.jit, static_argnames="evaluate")
def _compiled(x: Any, *, evaluate: bool) -> Any:
    mean, var = (0.0, 1.0) if evaluate else (x.mean(0), x.var(0))
    return ((x - mean) * jax.lax.rsqrt(var + 1e-5)).reshape(-1)


@pytest.mark.parametrize("identity", [row.id for row in select(REQUIREMENTS, ["FWD"])])
@pytest.mark.parametrize("function", [remembers_all_of_it, adds_row_by_row, compiles])
def test_correct_functions_conform(function: Callable[..., Any], identity: str):
    """No requirement of forward functions accuses them."""
    subject = Subject(Implementation(name=function.__name__, forward=function))
    verdict = judge_requirement(REQUIREMENTS[identity], subject, budget(max_examples=30))
    assert verdict.outcome is Outcome.CONFORMS, verdict.violation
