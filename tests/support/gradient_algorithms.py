"""Columns, cotangents, and correct ways to compute and differentiate in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.numerics.state import State
from conformance.strategies.columns import BLOCK, decode_columns

F = np.float32
EPS = 1e-5
COLUMNS = 300
ROWS = (1, 2, 7, 13, 33)

Statistics = Callable[[Any], tuple[Any, Any]]
Apply = Callable[[Any, Any, Any, Any, Any], Any]


# Inputs


@cache
def generated(rows: int) -> tuple[np.ndarray, State]:
    """Return columns as the strategies make them: constants, v ≈ ε and κ up to 1e4 in it."""
    rng = np.random.default_rng(rows)
    drawn = decode_columns([rng.bytes(BLOCK) for _ in range(COLUMNS)], rows, EPS)
    return drawn.x, State(drawn.gamma, drawn.beta, drawn.running_mean, drawn.running_var)


@cache
def constants(rows: int) -> np.ndarray:
    rng = np.random.default_rng(rows)
    values = rng.uniform(0.5, 2, COLUMNS) * 10 ** rng.uniform(-3, 4, COLUMNS)
    return np.tile(values.astype(F), (rows, 1))


@cache
def far_from_zero(rows: int, *kappas: float) -> np.ndarray:
    """Return columns κ standard deviations from zero, with σ from below √ε to 100."""
    rng = np.random.default_rng(rows)
    kappa = rng.choice(kappas or (30, 300, -300, 1e3, 3e3, -1e4, 1e4), COLUMNS)
    noise = rng.standard_normal((rows, COLUMNS))
    noise /= noise.std(axis=0) if rows > 1 else 1
    return ((noise + kappa) * 10 ** rng.uniform(-3.5, 2, COLUMNS)).astype(F)


@cache
def cotangents(rows: int) -> list[np.ndarray]:
    """Return cotangents: centred, with one sign, and with a single row."""
    rng = np.random.default_rng(rows + 1)
    noise = rng.standard_normal((rows, COLUMNS))
    single = np.where(np.arange(rows)[:, None] == rng.integers(rows, size=COLUMNS), noise, 0)
    return [noise.astype(F), np.abs(noise + 3).astype(F), single.astype(F)]


def inputs(rows: int) -> list[np.ndarray]:
    return [generated(rows)[0], constants(rows), far_from_zero(rows)]


# Correct algorithms


def sequential_sum(x):
    total, _ = jax.lax.scan(lambda s, row: (s + row, None), jnp.zeros_like(x[0]), x)
    return total


def two_pass(x, total=lambda x: x.sum(axis=0)):
    mean = total(x) / x.shape[0]
    return mean, total(jnp.square(x - mean)) / x.shape[0]


def sequential(x):
    return two_pass(x, sequential_sum)


def by_reciprocal(x):
    share = F(1) / F(x.shape[0])
    mean = x.sum(axis=0) * share
    return mean, jnp.square(x - mean).sum(axis=0) * share


def library(x):
    return jnp.mean(x, axis=0), jnp.var(x, axis=0)


def corrected(x):
    mean, var = two_pass(x)
    return mean, var - jnp.square(jnp.mean(x - mean, axis=0))


def shifted(x):
    d = x - x[0]
    rest = jnp.mean(d, axis=0)
    return x[0] + rest, jnp.maximum(0.0, jnp.mean(jnp.square(d), axis=0) - jnp.square(rest))


def welford(x):
    def step(carry, row):
        count, mean, squares = carry
        new = mean + (row - mean) / (count + 1)
        return (count + 1, new, squares + (row - mean) * (row - new)), None

    zeros = jnp.zeros_like(x[0])
    (count, mean, squares), _ = jax.lax.scan(step, (F(0), zeros, zeros), x)
    return mean, squares / count


def chunked(x):
    count, mean, squares = 0, jnp.zeros_like(x[0]), jnp.zeros_like(x[0])
    for start in range(0, x.shape[0], 4):
        chunk = x[start : start + 4]
        size, both = len(chunk), count + len(chunk)
        center = chunk.mean(axis=0)
        delta = center - mean
        squares = squares + jnp.square(chunk - center).sum(axis=0)
        squares = squares + delta * delta * F(count * size / both)
        mean = mean + delta * F(size / both)
        count = both
    return mean, squares / count


def one_pass(x):
    mean = jnp.mean(x, axis=0)
    return mean, jnp.maximum(0.0, jnp.mean(jnp.square(x), axis=0) - jnp.square(mean))


STABLE = (two_pass, sequential, by_reciprocal, library, corrected, shifted, welford, chunked)


def direct(x, mean, var, gamma, beta):
    return gamma * ((x - mean) * jax.lax.rsqrt(var + F(EPS))) + beta


def divided(x, mean, var, gamma, beta):
    return gamma * (x - mean) / jnp.sqrt(var + F(EPS)) + beta


def premultiplied(x, mean, var, gamma, beta):
    return (x - mean) * (gamma / jnp.sqrt(var + F(EPS))) + beta


def fused(x, mean, var, gamma, beta):
    scale = gamma * jax.lax.rsqrt(var + F(EPS))
    return x * scale + (beta - mean * scale)


APPLIED = (direct, divided, premultiplied, fused)


def derived(statistics: Statistics, apply: Apply) -> Callable[..., Any]:
    """Return the gradients that JAX derives from an algorithm."""

    def gradients(x, gamma, beta, w):
        def call(gamma, beta, x):
            return apply(x, *statistics(x), gamma, beta)

        return jax.vjp(call, gamma, beta, x)[1](w)

    return gradients


def three_terms(x, gamma, beta, w):
    del beta
    mean, var = two_pass(x)
    r = jax.lax.rsqrt(var + F(EPS))
    z = (x - mean) * r
    return (w * z).sum(0), w.sum(0), gamma * r * (w - w.mean(0) - z * (w * z).mean(0))


def merged(x, gamma, beta, w):
    del beta
    mean, var = library(x)
    r, n = 1 / jnp.sqrt(var + F(EPS)), x.shape[0]
    z = (x - mean) * r
    of_beta, of_gamma = w.sum(0), (w * z).sum(0)
    return of_gamma, of_beta, (gamma * r / n) * (n * w - of_beta - z * of_gamma)


def by_chain_rule(x, gamma, beta, w):
    """The chain rule of the original paper, step by step."""
    del beta
    mean, var = two_pass(x, sequential_sum)
    r, n = 1 / jnp.sqrt(var + F(EPS)), x.shape[0]
    t, of_z = x - mean, w * gamma
    of_var = (of_z * t).sum(0) * F(-0.5) * r**3
    of_mean = -(of_z * r).sum(0) + of_var * (-2 * t).mean(0)
    return (w * t).sum(0) * r, w.sum(0), of_z * r + of_var * 2 * t / n + of_mean / n


BY_HAND = (three_terms, merged, by_chain_rule)
