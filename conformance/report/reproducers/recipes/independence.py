"""IND and ERR: determinism, isolation, and refused input."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from conformance.adapters.protocols import ARRAYS
from conformance.properties.robustness import ANOTHER_EPS, ANOTHER_MOMENTUM, with_wrong_width
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import (
    build,
    check_evaluation,
    check_training,
    handed,
    rebuilt,
    start,
    train,
)
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case
from conformance.strategies.cases import Stream


@recipe("BN-IND-1")
def same_call(script: Script, case: Case) -> None:
    one = start(script, case)
    two, x = rebuilt(one, "other"), handed(script, case)
    train(one, x, case.x, "y")
    train(two, x, case.x, "y_other")
    script.identical("y in training", "y_other", "y")
    script.kept("read(layer)", "other", ARRAYS)
    script(f"y = np.array(evaluate(layer, {x}))", f"y_other = np.array(evaluate(other, {x}))")
    script.identical("y in evaluation", "y_other", "y")


@recipe("BN-IND-2")
def other_calls(script: Script, drawn: Stream, evaluate: int) -> None:
    case, mode = drawn.case, bool(evaluate)
    live = start(script, case)
    for index, batch in enumerate(drawn.following):
        other = replace(case.with_x(batch), as_jax=index % 2 == 0)
        script(f"call(layer, {handed(script, other)}, {mode})")
    script("write(layer, before)")
    for batch in drawn.following:
        beside = build(script, case.config, name="beside")
        train(beside, handed(script, case.with_x(batch)), batch)
    config = replace(case.config, momentum=ANOTHER_MOMENTUM, eps=ANOTHER_EPS)
    rebuilt(live, "different", config=config)
    script(f"call(different, {handed(script, case.with_x(drawn.following[0]))}, {mode})")
    build(script, replace(config, features=config.features + 1), name="wider")
    count = len(drawn.following)
    script(f"np.random.seed({count})", f"random.seed({count})")
    check_evaluation(live, case)
    check_training(live, case, "before")


@recipe("BN-IND-3")
def earlier_results(script: Script, drawn: Stream, evaluate: int) -> None:
    case = drawn.case
    live = start(script, case)
    script("snapshot = {name: held(layer, name) for name in NAMES}")
    script("then = {name: np.array(value) for name, value in snapshot.items()}")
    script(f"handed = {handed(script, case)}")
    script(f"y = call(layer, handed, {bool(evaluate)})", "y_then = np.array(y)")
    for batch in drawn.following:
        train(live, handed(script, case.with_x(batch)), batch)
    script.identical("x", "np.asarray(handed)", "x")
    script.identical("the first y", "np.asarray(y)", "y_then")
    for name in ARRAYS:
        got = f'np.asarray(snapshot["{name}"])'
        script.identical(f"the snapshot of {name}", got, f'then["{name}"]')


@recipe("BN-ERR-1")
def wrong_width(script: Script, case: Case) -> None:
    live = start(script, case)
    for wrong, flag in product(range(3), (False, True)):
        misfit = with_wrong_width(case.x, wrong)
        script(f"refused = refuses(layer, {script.let('misfit', misfit)}.copy(), {flag})")
        features = case.x.shape[1]
        what = f"the call with x of shape {misfit.shape} on a layer of {features} features"
        script.holds(what, "refused")
        script.kept("before", "layer", ARRAYS)
    check_evaluation(live, case)


@recipe("BN-ERR-2")
def single_feature(script: Script, case: Case) -> None:
    for flag in (False, True):
        live = start(script, case)
        script(f"refused = refuses(layer, {script.let('x', case.x)}[:, :1], {flag})")
        if flag:
            script.kept("before", "layer", ARRAYS)
        fresh = f"build({case.config.features}, {live.momentum}, {live.eps}, before)"
        script(f"layer = layer if refused else {fresh}  # a result is no fault")
        if not flag:
            script.kept("before", "layer", ARRAYS)
        check_evaluation(live, case)
