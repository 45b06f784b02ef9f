"""EMA: the running statistics in training."""

from __future__ import annotations

from dataclasses import replace

from conformance.adapters.protocols import STATISTICS
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.recipes.training import trained_once
from conformance.report.reproducers.scene import (
    History,
    check_trained,
    handed,
    rebuilt,
    start,
    train,
)
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case
from conformance.strategies.cases import Stream
from conformance.strategies.targeted import Permuted


@recipe("BN-EMA-1", "BN-EMA-2")
def one_update(script: Script, case: Case) -> None:
    live = start(script, case)
    bound = train(live, handed(script, case), case.x)
    check_trained(live, "x", "before", "", bound)


@recipe("BN-EMA-3")
def several_updates(script: Script, drawn: Stream) -> None:
    live = start(script, drawn.case)
    history = History(live, "before", [])
    for batch in (drawn.case.x, *drawn.following):
        following = drawn.case.with_x(batch)
        train(live, handed(script, following), batch)
        history.train(script.let("x", following.x))
        history.check()


@recipe("BN-EMA-4")
def momentum_one(script: Script, case: Case) -> None:
    trained_once(script, case)
    script.kept("before", "layer", STATISTICS)


@recipe("BN-EMA-5")
def momentum_zero(script: Script, case: Case) -> None:
    trained_once(script, case)
    for index, name in enumerate(STATISTICS):
        script.within(name, f'read(layer)["{name}"]', f"moments(float64(x))[{index}]")


_CHECKED_EVERY = 40


@recipe("BN-EMA-6")
def constant_stream(script: Script, case: Case) -> None:
    live = start(script, case)
    steps = next((k for k in range(0, 401, _CHECKED_EVERY) if f" after {k} " in script.quantity), 0)
    x = handed(script, case)
    script(f"for _ in range({steps or 400}):", f"    train(layer, {x})")
    History(live, "before", []).check_after(f"[{script.let('x', case.x)}] * {steps}", steps)


_ANOTHER_EPS = 0.5


@recipe("BN-EMA-7")
def other_parameters(script: Script, drawn: Permuted) -> None:
    case = drawn.case
    live = trained_once(script, case)
    script('changed = {**before, "gamma": before["beta"] + 2, "beta": before["gamma"] - 3}')
    eps = _ANOTHER_EPS if case.config.eps != _ANOTHER_EPS else 1e-3
    second = rebuilt(live, "other", "changed", replace(case.config, eps=eps))
    turned = case.with_x(case.x[drawn.row_order])
    train(second, handed(script, turned, "turned"), turned.x)
    for name in STATISTICS:
        quantity = f"{name} with other gamma, beta, eps"
        script.within(quantity, f'read(other)["{name}"]', f'read(layer)["{name}"]')
