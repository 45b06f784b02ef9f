"""Wrong initial values, and constructors that train or draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters.protocols import ARRAYS
from conformance.diagnosis.approximate import Approximate
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.reference_model import RaisesError, ReferenceModel
from conformance.numerics.bounds import U

_WORDS = {
    "gamma": ("γ", "one"),
    "beta": ("β", "zero"),
    "running_mean": ("the running mean", "zero"),
    "running_var": ("the running variance", "one"),
}
_start = ReferenceModel.initial_state


def _with(m: ReferenceModel, **arrays: float) -> dict[str, Approximate]:
    constants = {
        name: Approximate(np.full(m.config.features, c), 2 * U * abs(c))
        for name, c in arrays.items()
    }
    return {**_start(m), **constants}


def _varied(m: ReferenceModel, array: str) -> dict[str, Approximate]:
    """Return initial values of which one array may be anything; visible at construction only."""
    if m.forwarding:
        raise RaisesError
    unknown = Approximate(np.zeros(m.config.features), np.full(m.config.features, 1e9))
    return {**_start(m), array: unknown}


_VALUES = Parameter(
    (-10, -1, -0.1, -1e-3, -1e-6, 0.0, 1e-8, 1e-5, 1e-3, 0.05, 0.5, 0.9, 2, 10, 1e3)
)


def _start_values(array: str, name: str, right: str) -> None:
    for value, shown, ids in (
        (0.0, "zero", "zeros"),
        (1.0, "one", "ones"),
        (-1.0, "minus one", "minus-ones"),
    ):
        if shown != right:
            alternative(
                f"{array.replace('_', '-')}-{ids}",
                f"{name} starts at {shown}",
                remedy=f"start it at {right}",
                initial_state=lambda m, v=value: _with(m, **{array: v}),
            )
    family(
        f"{array.replace('_', '-')}-starts-at",
        f"{name} starts at {{c}}",
        _VALUES,
        lambda c: {"initial_state": lambda m: _with(m, **{array: c})},
        remedy=f"start it at {right}",
    )
    alternative(
        f"{array.replace('_', '-')}-starts-at-eps",
        f"{name} starts at ε",
        initial_state=lambda m: _with(m, **{array: m.eps}),
    )
    alternative(
        f"{array.replace('_', '-')}-starts-varied",
        f"{name} does not start at one value: it is random, or shared with other layers",
        remedy=f"start it at {right}",
        widens=True,
        initial_state=lambda m: _varied(m, array),
    )


for _array, (_name, _right) in _WORDS.items():
    _start_values(_array, _name, _right)
_ARRAYS_EXCHANGED = {
    "initialisers-exchanged": ("γ starts at zeros and β at ones", {"gamma": 0.0, "beta": 1.0}),
    "statistics-initialisers-exchanged": (
        "the running mean starts at ones and the running variance at zeros",
        {"running_mean": 1.0, "running_var": 0.0},
    ),
    "all-start-at-zero": ("all four arrays start at zero", dict.fromkeys(ARRAYS, 0.0)),
    "all-start-at-one": ("all four arrays start at one", dict.fromkeys(ARRAYS, 1.0)),
}
for _name, (_sentence, _given) in _ARRAYS_EXCHANGED.items():
    alternative(
        _name,
        _sentence,
        remedy="start γ and the running variance at one, β and the running mean at zero",
        initial_state=lambda m, given=_given: _with(m, **given),
    )


def _dummy(batch: float) -> Any:
    """Return the fresh state after a training call on a constant batch."""

    def start(m: ReferenceModel) -> dict[str, Approximate]:
        fresh = _start(m)
        mean, var = (
            Approximate(np.full(m.config.features, batch)),
            Approximate(np.zeros(m.config.features)),
        )
        moved_mean = ReferenceModel.moved(m, fresh["running_mean"], mean)
        moved_var = ReferenceModel.moved(m, fresh["running_var"], var)
        return {**fresh, "running_mean": moved_mean, "running_var": moved_var}

    return start


for _value, _words in ((0.0, "zeros"), (1.0, "ones")):
    alternative(
        f"dummy-batch-of-{_words}",
        f"construction trains on a batch of {_words}",
        "rv = m·1 + (1−m)·0 after construction",
        remedy="build the arrays from the number of features",
        convention="Linen skips the update while it initialises for this reason.",
        initial_state=_dummy(_value),
    )
alternative(
    "gamma-plus-one-from-zero",
    "γ starts at zero and one is added to it",
    "y = (1+γ)·z + β",
    remedy="start γ at one and apply it as it is",
    convention="Gains centred on zero are used by some transformer libraries.",
    initial_state=lambda m: _with(m, gamma=0.0),
    scale=lambda m: 1 + m.gamma,
)
