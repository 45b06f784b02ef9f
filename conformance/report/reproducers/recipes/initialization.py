"""INIT: a fresh layer."""

from __future__ import annotations

from dataclasses import replace

from conformance.adapters.protocols import ARRAYS
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import build, check_evaluation, check_training, start
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case

_FRESH = {"gamma": "ones", "beta": "zeros", "running_mean": "zeros", "running_var": "ones"}


@recipe("BN-INIT-1", "BN-INIT-2", "BN-INIT-3", "BN-INIT-4")
def fresh_arrays(script: Script, case: Case) -> None:
    build(script, case.config)
    for name, made in _FRESH.items():
        got = f'read(layer)["{name}"]'
        expected = f"np.{made}({case.config.features})"
        script.same(f"shape of {name}", f"{got}.shape", f"{expected}.shape")
        script.identical(name, got, f"{expected}.astype({got}.dtype)")


@recipe("BN-INIT-5")
def fresh_dtypes(script: Script, case: Case) -> None:
    build(script, case.config)
    for name in ARRAYS:
        script.same(f"dtype of {name}", f'str(read(layer)["{name}"].dtype)', '"float32"')


@recipe("BN-INIT-6")
def another_seed(script: Script, case: Case, seed: int) -> None:
    build(script, case.config)
    build(script, replace(case.config, seed=seed), name="other")
    script.kept("read(layer)", "other", ARRAYS)


@recipe("BN-INIT-7")
def constructed_only(script: Script, case: Case) -> None:
    build(script, replace(case.config, momentum=1.0), name="kept")
    build(script, replace(case.config, momentum=0.0), name="replaced")
    for name in ARRAYS:
        got = f'read(replaced)["{name}"]'
        script.same(f"shape of {name}", f"{got}.shape", f"({case.config.features},)")
        script.identical(name, got, f'read(kept)["{name}"]')


@recipe("BN-INIT-8")
def given_hyperparameters(script: Script, case: Case) -> None:
    live = start(script, case)
    check_training(live, case, "before")
    check_evaluation(live, case)
