"""The same seed yields the same cases, read from the same bytes."""

from __future__ import annotations

from typing import Any

import pytest
from support.drawn_cases import draw_for
from support.numpy_norm import NumpyNorm, Unbiased, subject

from conformance.properties import PROPERTIES
from conformance.strategies.bytestream import SIZE, ByteReader
from conformance.strategies.case import literals


def literal_run(identity: str, **rest: Any) -> list[dict[str, Any]]:
    return [literals(drawn) for drawn in draw_for(identity, **rest)]


@pytest.mark.parametrize("identity", ["BN-EMA-1", "BN-EMA-3", "BN-NUM-3"])
def test_the_same_seed_yields_the_same_cases(identity: str):
    """Two runs draw the same literals in the same order, case by case."""
    strategies = dict(PROPERTIES[identity].strategies)
    one = literal_run(identity, strategies=strategies, max_examples=30)
    two = literal_run(identity, strategies=strategies, max_examples=30)
    assert list(map(repr, one)) == list(map(repr, two))  # NaN is equal to itself in a repr
    assert len(one) == round(30 * PROPERTIES[identity].share)


@pytest.mark.parametrize("identity", [name for name, prop in PROPERTIES.items() if prop.strategies])
def test_a_case_is_shown_whole(identity: str):
    """No value that is drawn hides another one behind the same name in a counterexample."""
    strategies = dict(PROPERTIES[identity].strategies)
    (drawn,) = draw_for(identity, strategies=strategies, max_examples=1)[:1]
    apart = [name for key, value in drawn.items() for name in literals({key: value})]
    assert sorted(apart) == sorted(set(apart))
    assert set(apart) == set(literals(drawn))


def test_every_implementation_sees_the_same_cases():
    """Drawn cases do not depend on which requirements are judged."""
    one = literal_run("BN-EMA-1", subject=subject(NumpyNorm), max_examples=20)
    two = literal_run("BN-EMA-1", subject=subject(Unbiased), max_examples=20)
    assert one == two


def test_seeds_and_requirements_have_streams_of_their_own():
    """Another seed, and another requirement, draw other cases."""
    one = literal_run("BN-EMA-1", max_examples=20)
    assert literal_run("BN-EMA-1", seed=1, max_examples=20) != one
    assert literal_run("BN-EMA-2", max_examples=20) != one


def test_a_larger_budget_draws_more():
    """The number of cases is the budget times the share of the property."""
    assert len(draw_for("BN-EMA-2", max_examples=7)) == 7
    assert len(draw_for("BN-EMA-2")) == 100


def test_a_source_reads_every_byte_once():
    """Within one round the bytes come as they are, whatever the size of each piece."""
    raw = bytes(range(SIZE))
    source = ByteReader(raw)
    assert b"".join(source.take(count) for count in (1, 5, 24, 226)) == raw


def test_further_rounds_differ():
    """A case that needs more bytes than there are reads other ones in each round."""
    source = ByteReader(bytes(range(SIZE)))
    rounds = [source.take(SIZE) for _ in range(4)]
    assert len(set(rounds)) == 4
    assert ByteReader(bytes(SIZE)).take(2 * SIZE)[:SIZE] == bytes(SIZE)


def test_all_cases_of_a_run_differ():
    """A hundred cases of the default budget are at least ninety different ones."""
    assert len({repr(one) for one in literal_run("BN-EMA-2")}) >= 90
