"""What the alternatives for gradients share."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.diagnosis.approximate import (
    Approximate,
    exact,
)
from conformance.diagnosis.backward_model import Gradients, Saved
from conformance.diagnosis.fault_model import alternative

_TERMS = "dx = γ·r·(w − mean(w) − z·mean(w·z))"


def zero(a: Approximate) -> Approximate:
    """Return zeros of the same shape."""
    return exact(np.zeros(a.shape))


def mistake(identity: str, sentence: str, formula: str = "", **steps: Any) -> None:
    """Register a mistake of a backward pass; the steps take what was saved, see ``gradient``."""
    alternative(f"gradient-{identity}", sentence, formula, remedy=_TERMS, needs=2, **steps)


def of_batch(s: Saved) -> Saved:
    """Return what training would have saved."""
    return Gradients.saved_of(s.model, s.x, training=True)
