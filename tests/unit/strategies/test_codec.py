"""Drawn values in their exact form: they come back as they were, under ids that never change."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from conformance.engine.budget import budget
from conformance.engine.runner import PropertyRun
from conformance.properties import PROPERTIES
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import SIZE, draw_from_bytes
from conformance.strategies.codec import CodecError, decode, encode, violation_id
from conformance.strategies.shape_grid import DEFAULT
from impl.faulty import FAULTS


def are_identical(one: Any, other: Any) -> bool:
    """Whether two drawn values agree in everything, the sign of zero and dtypes too."""
    if isinstance(one, np.ndarray | np.generic):
        alike = (one.dtype, one.shape) == (other.dtype, other.shape)
        nan = np.isnan(one) if one.dtype.kind == "f" else np.zeros(one.shape, bool)
        known = np.where(nan, 0, one), np.where(nan, 0, other)
        signs = np.array_equal(np.signbit(known[0]), np.signbit(known[1]))
        return alike and signs and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if type(one) is not type(other):
        return False
    names = getattr(one, "__slots__", ()) or getattr(one, "_fields", ())
    if names:
        return all(are_identical(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(are_identical, one, other))
    return bool(one == other)


@pytest.mark.parametrize("name", [name for name, prop in PROPERTIES.items() if prop.strategies])
def test_drawn_values_survive_json(name: str):
    """What any property draws comes back from JSON as it was, and its id does not change."""
    for number in range(4):
        raw = np.random.default_rng([number, 7]).bytes(SIZE) if number else bytes(SIZE)
        strategies = PROPERTIES[name].strategies
        drawn = draw_from_bytes(raw, {key: of(DEFAULT) for key, of in strategies.items()})
        values = {key: encode(value) for key, value in drawn.items()}
        back = json.loads(json.dumps(values, allow_nan=False))
        assert all(are_identical(decode(back[key]), value) for key, value in drawn.items())
        assert violation_id(name, back) == violation_id(name, values)


def test_ids_never_change():
    """An id that was written down is found again by later versions, too."""
    array = {"$": "array", "dtype": "float32", "shape": [2, 1], "values": [0.5, "nan"]}
    config = {"features": 1, "momentum": 0.75, "eps": 1e-05, "seed": 0}
    fields = {"config": {"$": "Config", "fields": config}, "state": None, "x": array}
    case = {"$": "Case", "fields": fields | {"as_jax": False}}
    assert encode(decode(case)) == case
    assert violation_id("BN-EMA-2", {"case": case}) == "ema2-ec06f3"


def test_replaying_draws_nothing(monkeypatch: pytest.MonkeyPatch):
    """Whatever Hypothesis makes of a seed by now, a case is replayed from its literal arrays."""
    subject = Subject(FAULTS["eps-outside"].implementation)
    trial = PropertyRun(PROPERTIES["BN-EPS-1"], subject, budget(minimize=False))
    with pytest.raises(ViolationFound):
        trial()
    found = trial.violation
    assert found is not None
    monkeypatch.setattr("conformance.engine.seed_test.expand_seed", None)
    monkeypatch.setattr("conformance.engine.seed_test.draw_from_bytes", None)

    again = PropertyRun(PROPERTIES["BN-EPS-1"], subject, budget(minimize=False))
    with pytest.raises(ViolationFound) as raised:
        again.replay({name: decode(value) for name, value in found.values.items()})
    assert (raised.value.finding, again.violation) == (found.finding, found)


def test_odd_numbers_survive():
    """Negative zero, subnormal numbers, infinities and NaN are kept."""
    odd = np.array([-0.0, 1e-45, np.inf, -np.inf, np.nan, 1 / 3], np.float32)
    assert are_identical(decode(json.loads(json.dumps(encode(odd), allow_nan=False))), odd)
    assert are_identical(decode(encode(np.float32(-0.0))), np.float32(-0.0))
    assert are_identical(decode(encode(np.zeros((0, 3)))), np.zeros((0, 3)))


@pytest.mark.parametrize("broken", [{"$": "Popen", "fields": {}}, {"$": "array"}, {"a": 1}])
def test_unknown_forms_are_refused(broken: Any):
    """Only values that are drawn can be decoded."""
    with pytest.raises(CodecError):
        decode(broken)


def test_unknown_values_are_refused():
    """A value without an exact form is refused instead of stored as its repr."""
    with pytest.raises(CodecError, match="object"):
        encode(object())
