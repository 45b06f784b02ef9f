"""SHAPE: every size, and every container."""

from __future__ import annotations

from conformance import conventions
from conformance.case import Case
from conformance.checks import check_same, check_shape
from conformance.properties.claims import (
    check_evaluated,
    check_evaluation,
    check_trained,
    check_training,
)
from conformance.properties.registry import requirement
from conformance.strategies.cases import NEVER_FRESH, cases, entry_of
from conformance.strategies.containers import CONTAINERS
from conformance.strategies.palette import EAGER, SWEEP
from conformance.strategies.source import choices
from conformance.subject import Subject


@requirement(
    "BN-SHAPE-1",
    share=0.02,
    palettes=tuple((entry,) for entry in (*SWEEP, *EAGER)),
    case=lambda palette: cases(palette, fresh_from=NEVER_FRESH),
)
def every_size_is_right(subject: Subject, case: Case) -> None:
    """training, then evaluation with the new statistics, at each size of the sweep"""
    layer, before, x = subject.start(case)
    rounds = conventions.stored_roundoff() > 0  # one program need not round what it reads again
    if rounds or entry_of(case) in EAGER:
        y_train, y_eval = layer.train(x), layer.evaluate(x)
    else:
        y_train, y_eval = subject.train_then_evaluate(layer, x)
    after = layer.usable_state

    check_trained(subject, case, before, y_train, after)
    check_evaluated(case.config, after, case.x, y_eval)


@requirement(
    "BN-SHAPE-2",
    share=0.6,
    case=cases,
    container=lambda _: choices(1, len(CONTAINERS) - 1),
)
def containers_do_not_matter(subject: Subject, case: Case, container: int) -> None:
    """NumPy or JAX, C or Fortran order, strided, reversed or read-only: the same result"""
    layer, before, _ = subject.start(case)
    x = CONTAINERS[container](case.x)

    check_evaluation(layer, case, x)
    check_training(subject, layer, before, case, x)


@requirement("BN-SHAPE-3", share=0.15, case=cases)
def y_is_declared(subject: Subject, case: Case) -> None:
    """y is (N, D), float32 or what is declared"""
    layer, _, x = subject.start(case)
    dtype = conventions.output_dtype() or "float32"

    for y, mode in ((layer.evaluate(x), "evaluation"), (layer.train(x), "training")):
        check_shape(f"y in {mode}", y, case.x.shape)
        check_same(f"dtype of y in {mode}", str(y.dtype), dtype)
