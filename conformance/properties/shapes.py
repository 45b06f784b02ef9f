"""SHAPE: every size, and every container."""

from __future__ import annotations

import numpy as np

from conformance import bounds, oracle
from conformance.case import Case, Float32
from conformance.checks import check_within
from conformance.properties.claims import check_evaluated, check_evaluation, check_training
from conformance.properties.registry import requirement
from conformance.strategies.cases import cases
from conformance.strategies.palette import SWEEP
from conformance.strategies.source import choices
from conformance.subject import Subject


@requirement(
    "BN-SHAPE-1",
    share=0.03,
    palettes=tuple((entry,) for entry in SWEEP),
    case=lambda palette: cases(palette, may_be_fresh=False),
)
def every_size_is_right(subject: Subject, case: Case) -> None:
    """training, then evaluation with the new statistics, at each size of the sweep"""
    layer, before, x = subject.start(case)
    y_train, y_eval = subject.train_then_evaluate(layer, x)
    after = layer.usable_state

    expected = oracle.train(case.config, before, case.x)
    bound = bounds.train(case.config, before, case.x, subject.accuracy)
    check_within("y in training", y_train, expected.y, bound.y)
    check_within("running_mean", after.running_mean, expected.running_mean, bound.running_mean)
    check_within("running_var", after.running_var, expected.running_var, bound.running_var)
    check_evaluated(case.config, after, case.x, y_eval)


@requirement("BN-SHAPE-2", share=0.6, case=cases, container=lambda _: choices(0, 4))
def containers_do_not_matter(subject: Subject, case: Case, container: int) -> None:
    """NumPy or JAX, C or Fortran order, strided or reversed views: the same result"""
    layer, before, _ = subject.start(case)
    x = _held(case.x, container)

    check_evaluation(layer, case, x)
    check_training(subject, layer, before, case, x)


def _held(x: Float32, container: int) -> object:
    if container == 0:
        return x.copy()
    if container == 1:
        return np.asfortranarray(x)
    if container == 2:
        wide = np.full((2 * x.shape[0], 3 * x.shape[1]), 7.5, np.float32)
        wide[::2, ::3] = x
        return wide[::2, ::3]
    if container == 3:
        return x[::-1, ::-1].copy()[::-1, ::-1]
    import jax.numpy as jnp  # noqa: PLC0415  the JAX container

    return jnp.asarray(x)
