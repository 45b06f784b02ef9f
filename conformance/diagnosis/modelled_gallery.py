"""The gallery ``modelled``: every alternative that shows in calls, as a faulty implementation.

``conformance faults --gallery modelled`` judges all of them, ``conformance run
modelled:eps-outside`` one, and ``python benchmarks/diagnosis.py modelled`` diagnoses them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from conformance.adapters.implementation import Implementation
from conformance.diagnosis.fault_model import Alternative, constant_of
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.modelled_layer import modelled

_BY_FAMILY = {
    "affine": "BN-AFF-1",
    "averaging": "BN-EMA-3",
    "axes": "BN-TRAIN-1",
    "batch": "BN-NUM-1",
    "calling": "BN-SHAPE-2",
    "digits": "BN-NUM-1",
    "evaluating": "BN-EVAL-6",
    "evaluation_statistics": "BN-EVAL-1",
    "forwarding": "BN-FLAG-2",
    "guards": "BN-NUM-3",
    "layouts": "BN-SHAPE-1",
    "loops": "BN-SHAPE-1",
    "merging": "BN-SHAPE-1",
    "modes": "BN-FLAG-4",
    "momentum": "BN-INIT-8",
    "padding": "BN-SHAPE-1",
    "precision": "BN-EVAL-1",
    "rooting": "BN-EPS-1",
    "rows": "BN-SHAPE-1",
    "starting": "BN-FWD-1",
    "storing": "BN-EMA-3",
    "variance": "BN-NUM-1",
}
"""By module of ``fault_models``, a requirement that its mistakes violate; else BN-SEQ-1."""

_OF_MODULES = ("either-flag-evaluates", "both-flags-evaluate", "mode-of-the-module-wins")
_NOT_FINITE = (
    *("batch-zeroed-if-not-finite", "nan-batch-skipped", "nan-batch-skipped-mean"),
    *("nan-batch-skipped-variance", "nan-is-zero", "nan-of-y-is-beta", "nan-of-y-is-zero"),
    *("nan-to-num-of-x", "nan-to-num-of-y", "not-finite-is-zero", "not-finite-rows-zeroed"),
    "not-finite-spreads",
)

_BY_ID = {
    **dict.fromkeys(_NOT_FINITE, "BN-NUM-4"),
    "affine-captured": "BN-AFF-2",
    "beta-only-captured": "BN-AFF-2",
    "flag-float-only": "BN-EVAL-1",
    "float-seed": "BN-FWD-4",
    "gamma-only-captured": "BN-AFF-2",
    "gamma-plus-one-from-zero": "BN-AFF-1",
    "lanes-beyond": "BN-SHAPE-1",
    "memory-order": "BN-FWD-1",
    "memory-order-unless-c": "BN-FWD-1",
    "not-flat": "BN-FWD-1",
    "rows-counted-in-int8": "BN-SHAPE-1",
    "seed-not-cut": "BN-FWD-4",
}
"""The requirement that a mistake violates, where it is not that of its family."""

_OVERWRITES = ("input-changed",)
_EQUAL_TO = {
    "beta-at-most": ("beta-clipped",),
    "centred-in-place": _OVERWRITES,
    "constant-is-zero": ("constant-zero",),
    "momentum-squared": ("updated-twice",),
    "nan-to-num-of-y": ("nan-of-y-is-zero",),
    "normalised-in-place": _OVERWRITES,
    "normalised-mean-stored": ("centred-mean-stored",),
    "output-recentres": ("evaluation-recentres",),
    "overwritten-by-y": _OVERWRITES,
    "y-shifted": ("beta-shifted",),
    "z-negated": ("gamma-negated",),
    "z-scaled": ("gamma-scaled",),
}
"""Diagnoses that are right as well: the same numbers with the modelled constant, or the fact."""

_WIDENED = "claims less than the reference model, so it does not determine one layer"
_SILENT = "the requirements do not say what becomes of a feature that is not finite"
_LAST = "shows only where the last axis of x is as long as D, and not that of the features"
_INVISIBLE = {
    **{
        f"{name}-along-last-axis": _LAST
        for name in ("gamma", "beta", "affine", "running-statistics", "statistics")
    },
    "evaluation-absolute": "a running variance is never negative",
    "not-finite-feature-skipped": _SILENT,
    "not-finite-feature-skipped-mean": _SILENT,
    "not-finite-feature-skipped-variance": _SILENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelledFault:
    """An alternative as a record of a gallery.

    Attributes:
        breaks: The requirement that it must violate.
        sentence: What is wrong.
        module: The module that registers it.
        diagnosed: The right ids of its diagnosis.
        implementation: What is judged.
        source: Nowhere: it was made up.
    """

    breaks: tuple[str, ...]
    sentence: str
    module: str
    diagnosed: tuple[str, ...]
    implementation: Implementation
    source: str = ""

    @property
    def family(self) -> str:
        """The last part of the module's name."""
        return self.module.rsplit(".", 1)[-1]

    def named_by(self, alternatives: Collection[str]) -> tuple[str, ...]:
        """Return the right ids of its diagnosis, all of which are alternatives or facts."""
        del alternatives
        return self.diagnosed


def reason_not_modelled(alternative: Alternative) -> str:
    """Return why no call of a modelled layer shows a mistake; empty if calls show it."""
    if alternative.backward:
        return "concerns gradients, which a layer in NumPy does not have"
    if alternative.id in _OF_MODULES:
        return "concerns the mode of a module, which a layer in NumPy does not have"
    return _WIDENED if alternative.widens else _INVISIBLE.get(alternative.id, "")


def _record(alternative: Alternative) -> ModelledFault:
    constant = constant_of(alternative)
    module = next(iter(alternative.steps(constant).values())).__module__
    requirement = _BY_FAMILY.get(module.rsplit(".", 1)[-1], "BN-SEQ-1")
    return ModelledFault(
        breaks=(_BY_ID.get(alternative.id, requirement),),
        sentence=alternative.sentence.replace("{c}", f"{constant:.7g}"),
        module=module,
        diagnosed=(alternative.id, *_EQUAL_TO.get(alternative.id, ())),
        implementation=modelled(alternative.id),
    )


NOT_MODELLED = {a.id: reason for a in ALTERNATIVES.values() if (reason := reason_not_modelled(a))}
"""Why an alternative is not in the gallery, by its id."""

MODELLED = {a.id: _record(a) for a in ALTERNATIVES.values() if a.id not in NOT_MODELLED}
"""The records by id."""
