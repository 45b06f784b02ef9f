"""How much of the requirements was judged, where the way a layer is driven leaves some out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from conformance.requirements import REQUIREMENTS, Capability
from conformance.requirements.designs import RESTRICTIONS
from conformance.requirements.verdict import Outcome, Verdict

_BY_CHOICE = frozenset(
    {
        *(Capability.FORWARD, Capability.NDIM, Capability.MASK, Capability.DTYPES),
        *(Capability.DTYPES_GRAD, Capability.X64, Capability.SYNC, Capability.MASKED_SYNC),
        *(Capability.FORWARD_MODE, Capability.FORWARD_OVER_REVERSE, Capability.SECOND),
    }
)
"""What a layer may offer besides; nothing is missing where it does not."""

_MISSED = {
    "state": {Capability.LAYER},
    "gradients": {Capability.GRAD},
    "transforms": {Capability.TRANSFORMS},
    "serialisation": {Capability.NNX},
}


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the requirements that was judged.

    Attributes:
        judged: The number of requirements that were judged.
        total: The number of those that apply to a layer that is driven as an ``nnx.Module``.
        reasons: Why the others were not, in words.
        driven: Whether the way in which the layer is driven is one of the reasons.
    """

    judged: int
    total: int
    reasons: tuple[str, ...]
    driven: bool

    def sentence(self) -> str:
        """Return it as a sentence without a full stop."""
        return f"{self.judged} of {self.total} judged: {'; '.join(self.reasons)}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"judged": self.judged, "of": self.total, "reasons": list(self.reasons)}


def scope_of(verdicts: Iterable[Verdict]) -> Scope | None:
    """Return the scope of the verdicts on one implementation; None if nothing is left out.

    Args:
        verdicts: The verdicts, on the requirements that were chosen.
    """
    known = [v for v in verdicts if v.requirement in REQUIREMENTS]
    judged = [v for v in known if v.outcome is not Outcome.UNSUPPORTED]
    left_out = [v for v in known if v.outcome is Outcome.UNSUPPORTED and not v.left_out]
    designs = {v.detail for v in left_out} & {r.words for r in RESTRICTIONS}
    driven = [v for v in left_out if v.detail not in designs and _needs(v) not in _BY_CHOICE]
    total = len(judged) + len(driven) + sum(v.detail in designs for v in left_out)
    if total == len(judged):
        return None
    reasons = [_describe_driving(driven, judged)] if driven else []
    return Scope(len(judged), total, (*reasons, *_widest(designs)), bool(driven))


def _needs(verdict: Verdict) -> Capability:
    return REQUIREMENTS[verdict.requirement].needs


def _describe_driving(driven: list[Verdict], judged: list[Verdict]) -> str:
    missing = {_needs(verdict) for verdict in driven}
    without = [word for word, needs in _MISSED.items() if needs & missing]
    *first, last = without or ["gradients of a module"]
    listed = f"{', '.join(first)} or {last}" if first else last
    return f"no {listed}, because {_reason(missing, driven[0].kind, judged)}"


def _reason(missing: set[Capability], kind: str, judged: list[Verdict]) -> str:
    if Capability.LAYER in missing:
        return "it is a forward function"
    if missing <= {Capability.NNX, Capability.NNX_GRAD}:
        return "it is not an nnx.Module"
    if kind == "command":
        return "it is a command"
    if "nnx.Module" in kind or any(_needs(v) is Capability.TRANSFORMS for v in judged):
        return "JAX cannot differentiate it, as declared"
    return "it is driven by `build`"


def _widest(designs: set[str]) -> list[str]:
    """Return the words for designs, without those that the words for another one imply."""
    found = [r for r in RESTRICTIONS if r.words in designs]
    return [r.words for r in found if not any(r.without < other.without for other in found)]
