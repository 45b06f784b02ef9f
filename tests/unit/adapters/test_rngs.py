"""Random streams that are lent to constructors are as new as new ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from conformance.adapters import rngs
from conformance.adapters.rngs import construct

_HELD: list[Any] = []


@pytest.fixture(autouse=True)
def forget_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without streams from other tests."""
    monkeypatch.setattr(rngs, "_UNUSED", {})
    _HELD.clear()


def draw_keys(rngs: nnx.Rngs) -> list[int]:
    """Draw two keys."""
    return [jax.random.key_data(key).tolist() for key in (rngs.params(), rngs())]


def test_each_constructor_draws_the_same_keys():
    """Drawing from the streams does not show in the next construction, and they are lent again."""
    wanted = draw_keys(nnx.Rngs(3))
    assert [construct(draw_keys, 3, {}) for _ in range(3)] == [wanted] * 3
    assert len(rngs._UNUSED) == 1


@pytest.mark.parametrize(
    "keep",
    [
        _HELD.append,
        lambda rngs: _HELD.append(rngs.default),
        lambda rngs: _HELD.append(rngs.default.count),
        lambda rngs: setattr(rngs, "noise", 3),
        lambda rngs: rngs.default.key.set_value(jax.random.key(9)),
    ],
    ids=["streams", "stream", "counter", "attribute", "key"],
)
def test_streams_that_were_kept_or_changed_are_not_lent_again(keep: Callable[[Any], None]):
    """What a constructor holds is its own, and the next one gets streams as good as new."""

    def keeping(rngs: nnx.Rngs) -> None:
        keep(rngs)

    construct(keeping, 3, {})
    assert rngs._UNUSED == {}
    assert construct(draw_keys, 3, {}) == draw_keys(nnx.Rngs(3))


def test_streams_are_new_under_a_transform():
    """A constructor that draws keys can be run abstractly."""
    construct(draw_keys, 3, {})

    def abstract() -> Any:
        return construct(lambda rngs: jax.random.normal(rngs.params(), (2,)), 3, {})

    assert jax.eval_shape(abstract).shape == (2,)
    assert construct(draw_keys, 3, {}) == draw_keys(nnx.Rngs(3))
    assert jnp.asarray(rngs._UNUSED[3][0].default.count.get_value()) == 0


@pytest.mark.parametrize(
    ("target", "attribute", "value"),
    [(sys.implementation, "name", "pypy"), (sys, "_is_gil_enabled", lambda: False)],
    ids=["another interpreter", "no GIL"],
)
def test_streams_are_new_where_references_are_not_counted(
    monkeypatch: pytest.MonkeyPatch, target: object, attribute: str, value: object
):
    """Without exact reference counts, streams are neither kept nor reused."""
    lent = construct(lambda rngs: rngs, 3, {})
    construct(draw_keys, 3, {})
    assert len(rngs._UNUSED) == 1
    (unused, _), *_ = rngs._UNUSED.values()
    monkeypatch.setattr(target, attribute, value, raising=False)
    given = [construct(lambda rngs: rngs, 3, {}) for _ in range(2)]
    assert len({id(streams) for streams in (*given, lent, unused)}) == 4
    assert [draw_keys(streams) for streams in given] == [draw_keys(nnx.Rngs(3))] * 2
    assert len(rngs._UNUSED) == 1
