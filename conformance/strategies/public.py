"""The public strategies: what the byte strategies generate, drawn through Hypothesis.

Sizes, configurations and flags are drawn natively. A feature is a string of bytes that
``decode_columns`` reads, so it has the distribution of the suite's own cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.adapters.operations.forms import FORMS
from conformance.adapters.protocols import Config
from conformance.numerics.state import Float32, State
from conformance.strategies.arguments import (
    Shape,
    check_integer,
    check_integers,
    check_numbers,
    checked_shape,
    eps_strategy,
    momentum_strategy,
)
from conformance.strategies.columns import Columns
from conformance.strategies.drawn import (
    BLOCKS,
    Call,
    DrawnCase,
    History,
    columns_of,
    draw_blocks,
)
from conformance.strategies.flags import BETWEEN, ENCODINGS
from conformance.strategies.palette_cases import FRESH_FROM, one_array_plain
from conformance.strategies.shape_grid import CONFIGS, SIZES

EPS = 1e-5
_LARGEST_SEED = 2**32 - 1
_LARGEST_EPS, _SMALLEST_EPS = 100.0, 1e-16


def shapes(
    *, min_rows: int = 1, max_rows: int = 40, min_features: int = 1, max_features: int = 9
) -> SearchStrategy[Shape]:
    """Shapes (N, D) of batches: any, square ones, and sizes next to powers of two.

    JAX compiles every new shape: where that is too slow, use ``st.sampled_from`` a few.
    Shrinks to (min_rows, min_features).

    Args:
        min_rows: The least N.
        max_rows: The largest N.
        min_features: The least D.
        max_features: The largest D.

    Raises:
        InvalidArgument: A limit is below 1, or larger than its upper limit.
    """
    check_integers("rows", min_rows, max_rows, least=1)
    check_integers("features", min_features, max_features, least=1)
    rows, features = _sizes(min_rows, max_rows), _sizes(min_features, max_features)

    def squared(drawn: tuple[int, int, int]) -> Shape:
        n, d, chosen = drawn
        return n, n if chosen == 5 and min_features <= n <= max_features else d

    return st.tuples(rows, features, st.integers(0, 5)).map(squared)


def seeds(*, min_value: int = 0, max_value: int = _LARGEST_SEED) -> SearchStrategy[int]:
    """Seeds of random streams, as for ``nnx.Rngs(seed)``. Shrinks to ``min_value``.

    Args:
        min_value: The least seed.
        max_value: The largest seed.

    Raises:
        InvalidArgument: A limit is negative, or ``min_value > max_value``.
    """
    check_integers("value", min_value, max_value, least=0)
    return st.integers(min_value, max_value)


def momenta(*, min_value: float = 0.0, max_value: float = 1.0) -> SearchStrategy[float]:
    """Momenta m, the weight of the old average: both ends, usual ones, and any number between.

    A framework in which momentum weighs the new value takes 1 − m. Shrinks to 0.75.

    Args:
        min_value: The least m.
        max_value: The largest m.

    Raises:
        InvalidArgument: A limit is outside [0, 1], or ``min_value > max_value``.
    """
    check_numbers("value", min_value, max_value, least=0.0, most=1.0)
    any_number = st.floats(min_value, max_value, allow_subnormal=False)
    return _known([m for m, _ in CONFIGS], min_value, max_value) | any_number


def epsilons(
    *, min_value: float = _SMALLEST_EPS, max_value: float = _LARGEST_EPS
) -> SearchStrategy[float]:
    """Values of ε: usual ones, and numbers that are uniform in their logarithm. Shrinks to 1e-5.

    Args:
        min_value: The least ε.
        max_value: The largest ε.

    Raises:
        InvalidArgument: A limit is not positive and finite, or ``min_value > max_value``.
    """
    check_numbers("value", min_value, max_value, least=2.0**-126, most=2.0**127)
    exponents = st.floats(math.log10(min_value), math.log10(max_value))
    short = exponents.map(lambda e: min(max(float(f"{10**e:.3g}"), min_value), max_value))
    return _known([eps for _, eps in CONFIGS], min_value, max_value) | short


def flag_encodings(
    *, evaluate: bool | None = None, between: bool = False, as_jax: bool = False
) -> SearchStrategy[Any]:
    """Values of ``use_running_average``, each of which means ``flag >= 0.5``.

    0 and 1 as Python's and NumPy's floats, integers and booleans, and as arrays without axes.
    Shrinks to 0.0.

    Args:
        evaluate: The mode to select; None for either.
        between: Also floats other than 0 and 1, such as 0.3 and −1, for functions that have a
            threshold; a layer whose flag is a boolean need not take them.
        as_jax: Also JAX arrays without axes; JAX is imported when one is drawn.
    """
    bits = [0, 1] if evaluate is None else [int(evaluate)]
    forms = [form for form in ENCODINGS if as_jax or not form.startswith("jnp")]
    pairs = st.tuples(st.sampled_from(bits), st.sampled_from(forms))
    encoded = pairs.map(lambda pair: FORMS[pair[1]](pair[0]))
    others = [flag for flag in BETWEEN if evaluate is None or (flag >= 0.5) == evaluate]
    return encoded | st.sampled_from(others) if between else encoded


def batches(
    shape: Shape | SearchStrategy[Shape] | None = None,
    *,
    eps: float | SearchStrategy[float] = EPS,
) -> SearchStrategy[Float32]:
    """Batches x, (N, D) float32: each feature is an offset plus a scale times a pattern.

    Patterns are normal, integers, constant, two-valued, sorted, with an outlier or duplicated rows,
    or zero; offsets reach 1e4 scales of either sign, scales 1e-3 to 1e3, and three features in
    eight have a standard deviation of about √ε. All numbers are finite and none is subnormal.
    Shrinks to zeros.

    Args:
        shape: (N, D), or a strategy for it; None for ``shapes()``.
        eps: The ε of the layer, or a strategy for it.

    Raises:
        InvalidArgument: ``shape`` or ``eps`` is neither a strategy nor a valid value.
    """
    return _columns(_shape_strategy(shape), eps_strategy(eps)).map(lambda drawn: drawn.x)


def states(
    features: int | SearchStrategy[int], *, eps: float | SearchStrategy[float] = EPS
) -> SearchStrategy[State]:
    """States: γ, β, running mean and running variance, (D,) float32 each.

    γ is 1, 0, negative, tiny or large; the running variance is 0 in places, and about ε or that of
    a batch in others. Shrinks to 1, 0, 0, 1, a fresh layer.

    Args:
        features: D, or a strategy for it.
        eps: The ε of the layer, or a strategy for it.

    Raises:
        InvalidArgument: ``features`` or ``eps`` is neither a strategy nor a valid value.
    """
    if not isinstance(features, SearchStrategy):
        check_integer("features", features, least=1)
        features = st.just(features)
    shape = features.map(lambda d: (1, d))
    return _columns(shape, eps_strategy(eps)).map(lambda drawn: drawn.state)


def cases(
    shape: Shape | SearchStrategy[Shape] | None = None,
    *,
    momentum: float | SearchStrategy[float] | None = None,
    eps: float | SearchStrategy[float] | None = None,
) -> SearchStrategy[DrawnCase]:
    """Cases: a configuration, a state and a batch.

    One state in ten is that of a fresh layer, and in one of four others a single array is: mistakes
    that γ = 1 or β = 0 hide show only elsewhere, and those of first calls only there. Shrinks to a
    fresh layer on zeros.

    Args:
        shape: (N, D), or a strategy for it; None for ``shapes()``.
        momentum: m, or a strategy for it; None for ``momenta()``.
        eps: ε, or a strategy for it; None for ``epsilons()``.

    Raises:
        InvalidArgument: An argument is neither a strategy nor a valid value.
    """
    drawn = histories(shape, min_calls=1, max_calls=1, momentum=momentum, eps=eps)
    return drawn.map(lambda h: DrawnCase(h.config, h.state, h.calls[0].x))


def histories(
    shape: Shape | SearchStrategy[Shape] | None = None,
    *,
    min_calls: int = 1,
    max_calls: int = 10,
    momentum: float | SearchStrategy[float] | None = None,
    eps: float | SearchStrategy[float] | None = None,
) -> SearchStrategy[History]:
    """Histories: a configuration, a state, and calls that train or evaluate.

    All batches of a history have one shape; one in four repeats the one before, which reveals a
    layer that skips the update for a repeated batch. Shrinks to one training call on zeros.

    Args:
        shape: (N, D), or a strategy for it; None for ``shapes()``.
        min_calls: The least number of calls.
        max_calls: The largest number of calls.
        momentum: m, or a strategy for it; None for ``momenta()``.
        eps: ε, or a strategy for it; None for ``epsilons()``.

    Raises:
        InvalidArgument: A limit is below 1 or larger than its upper limit, or an argument is
            neither a strategy nor a valid value.
    """
    check_integers("calls", min_calls, max_calls, least=1)

    momentum = momentum_strategy(momenta() if momentum is None else momentum)
    eps = eps_strategy(epsilons() if eps is None else eps)
    return _histories(_shape_strategy(shape), momentum, eps, min_calls, max_calls)


@st.composite
def _histories(
    draw: st.DrawFn,
    shape: SearchStrategy[Shape],
    momentum: SearchStrategy[float],
    eps: SearchStrategy[float],
    min_calls: int,
    max_calls: int,
) -> History:
    rows, features = checked_shape(draw(shape))
    config = Config(features=features, momentum=draw(momentum), eps=draw(eps))
    freshness, plain = draw(st.binary(min_size=2, max_size=2))
    modes = draw(st.lists(_CALLS, min_size=min_calls, max_size=max_calls))
    blocks = draw_blocks(draw, features)
    first = columns_of(blocks, rows, config.eps)
    fresh = freshness >= FRESH_FROM
    state = State.fresh(features) if fresh else one_array_plain(first.state, plain)
    calls: list[Call] = []
    for evaluates, repeats, change in modes:
        if not calls or repeats != 3:
            x = first.x if not calls else columns_of(blocks, rows, config.eps, change).x
        calls.append(Call(x, evaluates))
    return History(config, state, tuple(calls))


_CALLS = st.tuples(st.booleans(), st.integers(0, 3), BLOCKS)
"""Whether a call evaluates, whether it repeats the batch before, and what is new in its batch."""


@st.composite
def _columns(draw: st.DrawFn, shape: SearchStrategy[Shape], eps: SearchStrategy[float]) -> Columns:
    (rows, features), chosen = checked_shape(draw(shape)), draw(eps)
    return columns_of(draw_blocks(draw, features), rows, chosen)


def _shape_strategy(shape: Shape | SearchStrategy[Shape] | None) -> SearchStrategy[Shape]:
    if shape is None:
        return shapes()
    return shape if isinstance(shape, SearchStrategy) else st.just(checked_shape(shape))


def _sizes(least: int, most: int) -> SearchStrategy[int]:
    """Every size, half of them next to powers of two; one integer, so that they shrink in steps."""
    preferred = [size for size in SIZES if least <= size <= most]
    copies = (most - least + 1) // max(len(preferred), 1)

    def size_of(index: int) -> int:
        size = least + index
        for known in preferred:
            if size <= known:
                return size
            size = max(known, size - copies)
        return size

    return st.integers(0, most - least + copies * len(preferred)).map(size_of)


def _known(values: Sequence[float], least: float, most: float) -> SearchStrategy[float]:
    inside = dict.fromkeys(value for value in values if least <= value <= most)
    return st.sampled_from(list(inside)) if inside else st.nothing()
