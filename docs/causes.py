"""Why requirements are violated by the layers of other frameworks: each cause has a script.

A violation is put down to a cause by what it shows, so that another one of the same requirement
is not swallowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from conformance.requirements.verdict import Verdict, Violation

Shows = Callable[[Violation], bool]
"""Whether a violation is what the cause would give."""


def _not_a_number(violation: Violation) -> bool:
    return violation.finding.got in {"nan", "inf", "-inf"}


def _negative_variance(violation: Violation) -> bool:
    """Tell whether mean(x²) − mean(x)² of the counterexample is below 0, or y is NaN by it."""
    if _not_a_number(violation):
        return True
    x = jnp.asarray(violation.inputs.get("x", [[0.0]]), jnp.float32)
    return bool((jnp.mean(x * x, axis=0) - jnp.mean(x, axis=0) ** 2 < 0).any())


def _fresh(violation: Violation) -> bool:
    """Tell whether the counterexample starts from a layer as constructed, and gives numbers."""
    written = {"gamma", "beta", "running_mean", "running_var"} & violation.inputs.keys()
    return not written and not _not_a_number(violation)


def _variance_too_large(violation: Violation) -> bool:
    """Tell whether a running variance is larger than it is to be, as one that starts at 1 is."""
    finding = violation.finding
    too_large = float(finding.got) > float(finding.expected)
    return finding.quantity.startswith("running_var") and too_large


def _raises(error: str) -> Shows:
    return lambda violation: str(violation.finding.got).startswith(error)


def _dtype(violation: Violation) -> bool:
    return violation.finding.quantity.startswith("dtype of running_")


def _inaccurate(violation: Violation) -> bool:
    return violation.finding.ratio is not None


def _evaluated_in_half(violation: Violation) -> bool:
    return violation.finding.quantity.startswith("y in evaluation from")


def _anything(violation: Violation) -> bool:
    del violation
    return True


def _state_moved(violation: Violation) -> bool:
    return str(violation.finding.expected).endswith("as before the call that raised")


class Cause(NamedTuple):
    """Why requirements are violated, shown by the script of that name.

    ``implementations`` are the names under which it was judged; ``requirements`` those that it can
    violate, all if there are none. ``declared``: the name under which the same layer was judged by
    its declarations, which then must not violate the requirement.
    """

    script: str
    implementations: tuple[str, ...]
    documented: str
    shows: Shows
    requirements: tuple[str, ...] = ()
    declared: str = ""

    def explains(self, name: str, verdict: Verdict) -> bool:
        """Tell whether a violation is one of this cause."""
        if verdict.violation is None or name not in self.implementations:
            return False
        if self.requirements and verdict.requirement not in self.requirements:
            return False
        return self.shows(verdict.violation)


_FLAX_WIDE = ("flax-wide", "linen-wide")
_FLAX_NNX = ("flax-default", "flax-default, strictly", "flax-wide")

CAUSES = (
    Cause("flax-half-made-update", _FLAX_NNX, "no", _state_moved, ("BN-ERR-2",)),
    Cause(
        "flax-one-pass",
        ("flax-default, strictly",),
        "that it is faster and may be less accurate, yes: `use_fast_variance`",
        _anything,
        declared="flax-default",
    ),
    Cause("flax-nan-behind-mask", _FLAX_WIDE, "no", _not_a_number, ("BN-MASK-2",)),
    Cause("flax-nothing-kept", _FLAX_WIDE, "no", _not_a_number, ("BN-MASK-3", "BN-SYNC-3")),
    Cause("flax-masked-shards", _FLAX_WIDE, "no", _inaccurate, ("BN-SYNC-2",)),
    Cause("flax-half-evaluation", ("flax-wide",), "no", _evaluated_in_half, ("BN-TYPE-1",)),
    Cause("linen-float64-statistics", ("linen-wide",), "no", _dtype, ("BN-TYPE-3",)),
    Cause(
        "equinox-ema-half",
        ("equinox-ema-wide",),
        "no",
        _raises("TypeError: lax.select"),
        ("BN-TYPE-1", "BN-TYPE-2"),
    ),
    Cause(
        "equinox-ema-devices",
        ("equinox-ema-wide",),
        "no",
        _raises("ValueError: Old and new values"),
        ("BN-SYNC-1",),
    ),
    Cause(
        "equinox-half-statistics",
        ("equinox-wide",),
        "no",
        _inaccurate,
        ("BN-TYPE-1", "BN-TYPE-4"),
    ),
    Cause(
        "haiku-half-statistics",
        ("haiku-wide",),
        "no",
        _inaccurate,
        ("BN-TYPE-1", "BN-TYPE-4"),
    ),
    Cause(
        "equinox-early-variance",
        ("equinox", "equinox-wide"),
        'no; running statistics "in line with" PyTorch, flax and Haiku are promised',
        _variance_too_large,
    ),
    Cause(
        "equinox-ema-fresh",
        ("equinox-ema", "equinox-ema-wide"),
        "that the first batches fill the statistics in, yes; what evaluation gives before, no",
        _fresh,
    ),
    Cause("haiku-nan", ("haiku", "haiku-wide"), "no", _negative_variance),
    Cause(
        "keras-mask-one-feature",
        ("keras-wide",),
        "no",
        _raises("IndexError"),
        ("BN-MASK-1", "BN-MASK-2", "BN-MASK-3"),
    ),
    Cause("keras-nan-behind-mask", ("keras-wide, mended",), "no", _not_a_number, ("BN-MASK-2",)),
    Cause(
        "keras-masked-mean", ("keras-wide, mended",), "no", _inaccurate, ("BN-MASK-1", "BN-MASK-3")
    ),
    Cause("keras-float64", ("keras-wide",), "no", _inaccurate, ("BN-TYPE-3",)),
)
