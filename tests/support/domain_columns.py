"""Columns for bounds of the extended domain, and sequential sums of them in any dtype."""

from __future__ import annotations

from functools import cache

import numpy as np

from conformance.adapters.protocols import Config
from conformance.numerics.state import State
from conformance.strategies.columns import BLOCK, Columns, decode_columns

F = np.float32
COLUMNS = 200
CONFIG = Config(features=COLUMNS, momentum=0.9, eps=1e-5)


@cache
def draw_columns(rows: int) -> Columns:
    rng = np.random.default_rng(rows)
    return decode_columns([rng.bytes(BLOCK) for _ in range(COLUMNS)], rows, CONFIG.eps)


def state_of(columns: Columns) -> State:
    return State(columns.gamma, columns.beta, columns.running_mean, columns.running_var)


def add_rows(values: np.ndarray) -> np.ndarray:
    total = np.zeros_like(values[0]) if len(values) else np.zeros(values.shape[1], values.dtype)
    for value in values:
        total = total + value
    return total


def sums_of_sums(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    rows = F(sum(map(len, parts)))
    mean = add_rows(np.array([add_rows(p) for p in parts])) / rows
    return mean, add_rows(np.array([add_rows(np.square(p - mean)) for p in parts])) / rows
