"""AFF, EPS, NUM and SHAPE: claims about one call in each mode."""

from __future__ import annotations

from conformance.properties.affine import set_gain_and_offset
from conformance.properties.support.poisoning import with_nan
from conformance.report.reproducers.recipes.flags import contained
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import (
    Live,
    check_evaluated,
    check_evaluation,
    check_trained,
    check_training,
    handed,
    read,
    start,
    train,
)
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case
from conformance.strategies.cases import Rewritten, entry_of
from conformance.strategies.shape_grid import EAGER


@recipe("BN-AFF-1")
def gain_and_offset(script: Script, case: Case, gain: int, offset: int, uniform: int) -> None:
    live = start(script, case)
    gamma, beta = set_gain_and_offset(case.config.features, gain, offset, uniform)
    chosen = script.let("chosen", {"gamma": gamma, "beta": beta})
    script(f"write(layer, {{**before, **{chosen}}})")
    live.state = live.state.replace(gamma=gamma, beta=beta)
    check_evaluation(live, case)
    read(live, "before")
    check_training(live, case, "before")


@recipe("BN-AFF-2")
def changed_from_outside(script: Script, drawn: Rewritten, training: int) -> None:
    case, other = drawn
    live = start(script, case)
    x = handed(script, case)
    if training:
        train(live, x, case.x)
    else:
        script(f"evaluate(layer, {x})")
    chosen = script.let("chosen", {"gamma": other.gamma, "beta": other.beta})
    script(f"before = {{**read(layer), **{chosen}}}", "write(layer, before)")
    live.state = live.state.replace(gamma=other.gamma, beta=other.beta)
    if training:
        check_training(live, case, "before")
    else:
        check_evaluation(live, case)


@recipe("BN-EPS-1")
def epsilon(script: Script, case: Case) -> None:
    live = start(script, case)
    check_evaluation(live, case)
    check_training(live, case, "before")


@recipe("BN-NUM-1", "BN-NUM-2")
def accuracy(script: Script, case: Case) -> None:
    live = start(script, case)
    check_training(live, case, "before")
    check_evaluation(live, case)


@recipe("BN-NUM-3")
def nothing_replaced(script: Script, case: Case, column: int) -> None:
    poisoned, column = with_nan(case, column)
    evaluated, trained = (
        f"y in {mode} where x[0, {column}] is NaN" for mode in ("evaluation", "training")
    )
    if script.quantity not in {evaluated, trained}:
        accuracy(script, case)
    live, x = start(script, poisoned), handed(script, poisoned)
    script(f"y = np.array(evaluate(layer, {x}))")
    script.nan(evaluated, f"y[:1, [{column}]]")
    train(live, x, poisoned.x, "y")
    script.nan(trained, f"y[:, [{column}]]")


@recipe("BN-SHAPE-1")
def each_size(script: Script, case: Case) -> None:
    live = start(script, case)
    x = handed(script, case)
    if entry_of(case) in EAGER:
        bound = train(live, x, case.x, "y")
        script(f"y_evaluated = np.array(evaluate(layer, {x}))")
    else:
        both = "nnx.jit(lambda layer, x: (train(layer, x), evaluate(layer, x)))"
        script(f"y, y_evaluated = map(np.array, {both}(layer, {x}))")
        bound = live.trained(case.x)
    read(live, "after")
    check_trained(live, "x", "before", "y", bound, after="after")
    check_evaluated(live, "x", case.x, "y_evaluated", "after")


@recipe("BN-SHAPE-2")
def containers(script: Script, case: Case, container: int) -> None:
    live = start(script, case)
    script.let("x", case.x)
    in_container(live, case, contained(container))


def in_container(live: Live, case: Case, x: str) -> None:
    """Call in each mode, with the batch in some container."""
    read(live, "now")
    live.script(f"y = np.array(evaluate(layer, {x}))")
    check_evaluated(live, "x", case.x, "y", "now")
    live.script(f"y = np.array(train(layer, {x}))")
    check_trained(live, "x", "before", "y", live.trained(case.x))


@recipe("BN-SHAPE-3")
def form_of_y(script: Script, case: Case) -> None:
    live = start(script, case)
    x = handed(script, case)
    script(f"y_evaluated = np.array(evaluate(layer, {x}))")
    train(live, x, case.x, "y_trained")
    for y, mode in (("y_evaluated", "evaluation"), ("y_trained", "training")):
        script.same(f"shape of y in {mode}", f"{y}.shape", repr(case.x.shape))
        script.same(f"dtype of y in {mode}", f"str({y}.dtype)", '"float32"')
