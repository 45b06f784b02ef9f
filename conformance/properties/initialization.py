"""INIT: a fresh layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from conformance.numerics.state import State
from conformance.properties.support.checks import check_dtype, check_identical, check_shape
from conformance.properties.support.claims import check_evaluation, check_kept, check_training
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import cases
from conformance.strategies.targeted import free_configs


@requirement("BN-INIT-1", share=0.15, case=cases)
def gamma_starts_as_ones(subject: Subject, case: Case) -> Iterator[None]:
    """γ = 1"""
    fresh = subject.build(case.config).state
    yield

    ones = State.fresh(case.config.features).gamma.astype(fresh.gamma.dtype)
    check_identical("gamma", fresh.gamma, ones, rule="exactly one")


@requirement("BN-INIT-2", share=0.15, case=cases)
def beta_starts_as_zeros(subject: Subject, case: Case) -> Iterator[None]:
    """β = 0"""
    fresh = subject.build(case.config).state
    yield

    zeros = State.fresh(case.config.features).beta.astype(fresh.beta.dtype)
    check_identical("beta", fresh.beta, zeros, rule="exactly zero")


@requirement("BN-INIT-3", share=0.15, case=cases)
def running_mean_starts_as_zeros(subject: Subject, case: Case) -> Iterator[None]:
    """rm = 0"""
    fresh = subject.build(case.config).state
    yield

    zeros = State.fresh(case.config.features).running_mean.astype(fresh.running_mean.dtype)
    check_identical("running_mean", fresh.running_mean, zeros, rule="exactly zero")


@requirement("BN-INIT-4", share=0.15, case=cases)
def running_var_starts_as_ones(subject: Subject, case: Case) -> Iterator[None]:
    """rv = 1"""
    fresh = subject.build(case.config).state
    yield

    ones = State.fresh(case.config.features).running_var.astype(fresh.running_var.dtype)
    check_identical("running_var", fresh.running_var, ones, rule="exactly one")


@requirement("BN-INIT-5", share=0.15, case=cases)
def arrays_have_the_declared_dtype(subject: Subject, case: Case) -> None:
    """float32, or what the implementation declares"""
    declared = subject.conventions.stored_dtypes()

    for name, array in subject.build(case.config).state.arrays().items():
        check_dtype(name, array, declared[name])


@requirement("BN-INIT-6", share=0.25, case=cases, seed=lambda _: integers(1, 2**31 - 1))
def nothing_depends_on_the_seed(subject: Subject, case: Case, seed: int) -> Iterator[None]:
    """state(seed) = state(0)"""
    reference = subject.build(case.config).state
    other = subject.build(replace(case.config, seed=seed)).state
    yield

    check_kept(other, reference, "as with seed 0")


@requirement("BN-INIT-7", share=0.25, case=cases)
def construction_runs_no_training_step(subject: Subject, case: Case) -> None:
    """state is there before the first call, and momentum has had no effect on it"""
    largest = subject.conventions.largest_momentum()
    kept = subject.build(replace(case.config, momentum=largest)).state.arrays()
    replaced = subject.build(replace(case.config, momentum=0.0)).state.arrays()

    for name, array in replaced.items():
        check_shape(name, array, (case.config.features,))
        check_identical(name, array, kept[name], rule=f"as constructed with momentum {largest:g}")


@requirement("BN-INIT-8", case=free_configs)
def momentum_and_eps_are_those_given(subject: Subject, case: Case) -> None:
    """y and rm', rv' follow the m and ε of the constructor"""
    layer, before, x = subject.start(case)

    check_training(subject, layer, before, case, x)
    check_evaluation(layer, case, x)
