"""The known causes of violations in the layers of other frameworks, each with its script.

A violation is assigned to a cause by its evidence, so that a different violation of the same
requirement is not attributed to a known cause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from conformance.requirements.finding import FindingKind
from conformance.requirements.verdict import Verdict, Violation

Matches = Callable[[Violation], bool]
"""Whether the evidence of a violation is that of a cause."""

_WIDENED = ("float64", "float32")


def _non_finite(violation: Violation) -> bool:
    return violation.finding.kind is FindingKind.NON_FINITE


def _negative_variance(violation: Violation) -> bool:
    """Return whether mean(x²) − mean(x)² of the counterexample is negative, or the result NaN."""
    if _non_finite(violation):
        return True
    x = jnp.asarray(violation.inputs.get("x", [[0.0]]), jnp.float32)
    return bool((jnp.mean(x * x, axis=0) - jnp.mean(x, axis=0) ** 2 < 0).any())


def _fresh(violation: Violation) -> bool:
    """Return whether the counterexample is a fresh layer, and the result a number."""
    written = {"gamma", "beta", "running_mean", "running_var"} & violation.inputs.keys()
    return not written and violation.finding.kind is FindingKind.VALUE


def _variance_too_large(violation: Violation) -> bool:
    """Return whether a running variance is too large, as it is if it starts at 1."""
    finding = violation.finding
    return _inaccurate("running_var")(violation) and finding.got > finding.expected


def _raised(error: str) -> Matches:
    """Return whether an operation raised an exception whose text starts so."""
    return lambda violation: (
        violation.finding.kind is FindingKind.RAISED
        and str(violation.finding.got).startswith(error)
    )


def _in_float64(violation: Violation) -> bool:
    """Return whether a dtype is float64 instead of float32."""
    finding = violation.finding
    return finding.kind is FindingKind.FACT and (finding.got, finding.expected) == _WIDENED


def _inaccurate(quantity: str = "") -> Matches:
    """Return whether the error of such a quantity, by its first words, exceeds its bound."""
    return lambda violation: (
        violation.finding.kind is FindingKind.VALUE
        and violation.finding.ratio is not None
        and violation.finding.quantity.startswith(quantity)
    )


def _value_changed(violation: Violation) -> bool:
    """Return whether an element of the state is not exactly as before."""
    finding = violation.finding
    return finding.kind is FindingKind.VALUE and finding.ratio is None


def _anything(violation: Violation) -> bool:
    del violation
    return True


class Cause(NamedTuple):
    """One cause of violations, with a folder in docs/findings.

    Attributes:
        name: name of its folder in docs/findings.
        implementations: names of the implementations that have it.
        matches: whether a violation is evidence of it.
        requirements: those that it can violate; empty for any.
        declared: name of the same layer judged by its declarations, which must not show the same
            violation then.
    """

    name: str
    implementations: tuple[str, ...]
    matches: Matches
    requirements: tuple[str, ...] = ()
    declared: str = ""

    def explains(self, name: str, verdict: Verdict) -> bool:
        """Return whether a violation has this cause."""
        if verdict.violation is None or name not in self.implementations:
            return False
        if self.requirements and verdict.requirement not in self.requirements:
            return False
        return self.matches(verdict.violation)


_FLAX_NNX = ("flax", "flax-default", "flax-default, strict")
_FLAX = (*_FLAX_NNX, "linen")

CAUSES = (
    Cause("flax-half-made-update", _FLAX_NNX, _value_changed, ("BN-ERR-2",)),
    Cause(
        "flax-one-pass",
        ("flax-default, strict",),
        _anything,
        declared="flax-default",
    ),
    Cause("flax-nan-behind-mask", _FLAX, _non_finite, ("BN-MASK-2",)),
    Cause("flax-nothing-kept", _FLAX, _non_finite, ("BN-MASK-3", "BN-SYNC-3")),
    Cause("flax-masked-shards", _FLAX, _inaccurate(), ("BN-SYNC-2",)),
    Cause(
        "flax-half-evaluation",
        _FLAX_NNX,
        _inaccurate("y in evaluation from"),
        ("BN-TYPE-1",),
    ),
    Cause("linen-float64-statistics", ("linen",), _in_float64, ("BN-TYPE-3",)),
    Cause(
        "equinox-ema-half",
        ("equinox-ema",),
        _raised("TypeError: lax.select"),
        ("BN-TYPE-1", "BN-TYPE-2"),
    ),
    Cause(
        "equinox-ema-devices",
        ("equinox-ema",),
        _raised("ValueError: Old and new values"),
        ("BN-SYNC-1",),
    ),
    Cause(
        "equinox-half-statistics",
        ("equinox",),
        _inaccurate(),
        ("BN-TYPE-1", "BN-TYPE-4"),
    ),
    Cause("haiku-half-statistics", ("haiku",), _inaccurate(), ("BN-TYPE-1", "BN-TYPE-4")),
    Cause(
        "equinox-early-variance",
        ("equinox",),
        _variance_too_large,
    ),
    Cause(
        "equinox-ema-fresh",
        ("equinox-ema",),
        _fresh,
    ),
    Cause("haiku-nan", ("haiku",), _negative_variance),
    Cause(
        "keras-mask-one-feature",
        ("keras",),
        _raised("IndexError"),
        ("BN-MASK-1", "BN-MASK-2", "BN-MASK-3"),
    ),
    Cause("keras-nan-behind-mask", ("keras, worked around",), _non_finite, ("BN-MASK-2",)),
    Cause(
        "keras-masked-mean",
        ("keras, worked around",),
        _inaccurate(),
        ("BN-MASK-1", "BN-MASK-3"),
    ),
    Cause("keras-float64", ("keras",), _inaccurate(), ("BN-TYPE-3",)),
)
