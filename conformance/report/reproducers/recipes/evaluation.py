"""EVAL: normalizing with the running statistics."""

from __future__ import annotations

from conformance.adapters.protocols import ARRAYS
from conformance.numerics.state import State
from conformance.properties.support.poisoning import beside, with_row
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import (
    build,
    check_evaluated,
    check_evaluation,
    handed,
    start,
    train,
)
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case
from conformance.strategies.cases import Rewritten


@recipe("BN-EVAL-1")
def output(script: Script, case: Case) -> None:
    check_evaluation(start(script, case), case)


@recipe("BN-EVAL-2")
def nothing_written(script: Script, case: Case, trained: int, poison: int) -> None:
    live = start(script, case)
    if trained:
        train(live, handed(script, case), case.x)
        script("before = read(layer)")
    attributes = script.quantity == "Python attributes"
    if attributes:
        script("noted = attributes(layer)")
    evaluated, _ = with_row(case, 0, poison)
    script(f"evaluate(layer, {handed(script, evaluated)})")
    script.kept("before", "layer", ARRAYS)
    script.same("Python attributes", "attributes(layer)", "noted")


@recipe("BN-EVAL-3")
def one_row(script: Script, case: Case, row: int, poison: int) -> None:
    i = row % len(case.x)
    shared, where = beside(case, i, poison)
    start(script, shared)
    script(f"y = np.array(evaluate(layer, {handed(script, shared)}))")
    alone = handed(script, case.with_x(case.x[i : i + 1]), "row")
    script(f"y_alone = np.array(evaluate(layer, {alone}))")
    quantity = f"y of row {i} beside others{where}"
    script.within(quantity, f"y[{i}:{i + 1}]", "y_alone.astype(np.float64)")


@recipe("BN-EVAL-4")
def fresh_layer(script: Script, case: Case) -> None:
    live = build(script, case.config)
    script(f"y = np.array(evaluate(layer, {handed(script, case)}))")
    script.finite("y of a fresh layer", "y")
    fresh = script.let("fresh", State.fresh(case.config.features))
    check_evaluated(live, "x", case.x, "y", fresh)


@recipe("BN-EVAL-5")
def twice(script: Script, case: Case) -> None:
    start(script, case)
    x = handed(script, case)
    script(f"first = np.array(evaluate(layer, {x}))", f"second = np.array(evaluate(layer, {x}))")
    script.identical("y of the second call", "second", "first")


@recipe("BN-EVAL-6")
def statistics_of_now(script: Script, drawn: Rewritten, event: int) -> None:
    case, other = drawn
    live = start(script, case)
    x = handed(script, case)
    script(f"evaluate(layer, {x})")
    if event == 0:
        train(live, x, case.x)
    else:
        changed = script.let("changed", other)
        steps = [f"write(layer, {changed})"]
        restored = "layer = merged_again(layer)"
        script(*{1: [restored, *steps], 4: [*steps, restored]}.get(event, steps))
        live.state = other
    check_evaluation(live, case)
    if event == 4:
        script(f"y = np.array(evaluate(layer, {x}))")
        check_evaluated(live, "x", case.x, "y", "changed")
