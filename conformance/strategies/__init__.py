"""Hypothesis strategies for Batch Normalization, for ``@given`` in tests of your own.

>>> from hypothesis import given
>>> from conformance.strategies import cases, momenta
>>> @given(case=cases(momentum=momenta(min_value=0.5)))
... def test_my_layer(case): ...

The public strategies are listed in ``__all__`` and documented in ``docs/library.md``. They decode
features, states and shapes by the tables that the suite's own byte strategies use, which are in the
other modules of this package, and draw them through Hypothesis, which shrinks failures and keeps
its example database. Importing this package imports neither JAX nor flax.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.strategies.drawn import Call, DrawnCase, History
    from conformance.strategies.public import (
        batches,
        cases,
        epsilons,
        flag_encodings,
        histories,
        momenta,
        seeds,
        shapes,
        states,
    )

__all__ = [
    "Call",
    "DrawnCase",
    "History",
    "batches",
    "cases",
    "epsilons",
    "flag_encodings",
    "histories",
    "momenta",
    "seeds",
    "shapes",
    "states",
]


def __getattr__(name: str) -> Any:
    """Import the public strategies on first use: most of the suite needs other modules."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.public"), name)


def __dir__() -> list[str]:
    """List the public names as well, imported or not."""
    return sorted({*globals(), *__all__})
