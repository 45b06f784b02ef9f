"""TRAIN: normalizing with the statistics of the batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.adapters.protocols import STATISTICS
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import Live, build, handed, rebuilt, start, train
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case
from conformance.strategies.cases import Rewritten
from conformance.strategies.targeted import Permuted, Poisoned, Scaled, Shifted


def trained_once(script: Script, case: Case) -> Live:
    """Build the layer of a case, train it once, keep y."""
    live = start(script, case)
    train(live, handed(script, case), case.x, "y")
    return live


def trained_beside(live: Live, case: Case, name: str = "x") -> None:
    """Train another layer, which starts in the same state as the first one, on another batch.

    Args:
        live: The first layer.
        case: The case with the state.
        name: The text of the batch.
    """
    train(rebuilt(live, "other"), handed(live.script, case, name), case.x, "y_other")


def compare_statistics(script: Script, of: str, chosen: str = "", expected: str = "") -> None:
    """Compare the running statistics of the other layer with those of the first."""
    for name in STATISTICS:
        got, wanted = f'read(other)["{name}"]{chosen}', f'read(layer)["{name}"]{expected}'
        script.within(f"{name}{of}", got, wanted)


@recipe("BN-TRAIN-1")
def output(script: Script, case: Case) -> None:
    live = trained_once(script, case)
    script.within("y", "y", f'{live.training("x", "before")}["y"]')


@recipe("BN-TRAIN-2")
def other_statistics(script: Script, drawn: Rewritten) -> None:
    case, other = drawn
    live = trained_once(script, case)
    moved = script.let("moved", {name: getattr(other, name) for name in STATISTICS})
    script(f"write(layer, {{**before, **{moved}}})")
    train(live, handed(script, case), case.x, "again")
    script.within("y with other running statistics", "again", "y")


@recipe("BN-TRAIN-3")
def other_features(script: Script, drawn: Poisoned) -> None:
    case, column, replacement = drawn
    live = trained_once(script, case)
    poisoned = case.x.copy()
    poisoned[:, column] = replacement
    trained_beside(live, case.with_x(poisoned), "poisoned")
    others = script.let("others", [k for k in range(case.config.features) if k != column])
    script.within("y of the other features", f"y_other[:, {others}]", f"y[:, {others}]")
    compare_statistics(script, " of the other features", f"[{others}]", f"[{others}]")


@recipe("BN-TRAIN-4")
def permuted(script: Script, drawn: Permuted) -> None:
    case, rows, columns = drawn
    live = trained_once(script, case)
    by_row, by_column = script.let("rows", rows), script.let("columns", columns)
    script(f"turned = {{name: array[{by_column}] for name, array in before.items()}}")
    other = rebuilt(live, "other", "turned")
    turned = f"x[{by_row}][:, {by_column}]"
    container = f"jnp.asarray({turned})" if case.as_jax else f"np.ascontiguousarray({turned})"
    train(other, container, case.x, "y_other")
    script.within("y permuted", "y_other", f"y[{by_row}][:, {by_column}]")
    compare_statistics(script, " permuted", "", f"[{by_column}]")


@recipe("BN-TRAIN-5")
def stacked(script: Script, case: Case) -> None:
    live = trained_once(script, case)
    other, twice = rebuilt(live, "other"), "np.concatenate([x, x])"
    x = f"jnp.asarray({twice})" if case.as_jax else twice
    train(other, x, np.concatenate([case.x, case.x]), "y_other")
    script.within("y of the stacked batch", "y_other", "np.concatenate([y, y])")
    compare_statistics(script, " of the stacked batch")


@recipe("BN-TRAIN-6")
def shifted(script: Script, drawn: Shifted) -> None:
    case, shift = drawn
    live = trained_once(script, case)
    trained_beside(live, case.with_x(case.x + shift), "shifted")
    script.within("y of the shifted batch", "y_other", "y")


@recipe("BN-TRAIN-7")
def scaled(script: Script, drawn: Scaled) -> None:
    case, factor = drawn
    live = trained_once(script, case)
    config = replace(case.config, eps=case.config.eps * factor**2)
    other = rebuilt(live, "other", config=config)
    larger = case.with_x(case.x * np.float32(factor))
    train(other, handed(script, larger, "scaled"), larger.x, "y_other")
    script.within("y of the scaled batch", "y_other", "y")


@recipe("BN-TRAIN-8")
def single_row(script: Script, case: Case) -> None:
    trained_once(script, case)
    script.within("y of a single row", "y", 'before["beta"].astype(np.float64)[None]')


@recipe("BN-TRAIN-9")
def constant_features(script: Script, case: Case) -> None:
    trained_once(script, case)
    script.finite("y of constant features", "y")
    expected = 'np.tile(before["beta"].astype(np.float64), (len(x), 1))'
    script.within("y of constant features", "y", expected)


@recipe("BN-TRAIN-10")
def standardized(script: Script, case: Case) -> None:
    live = build(script, case.config)
    fresh = (
        "dict(gamma=np.ones(D), beta=np.zeros(D), running_mean=np.zeros(D), running_var=np.ones(D))"
    )
    script(f"write(layer, {fresh.replace('D', str(case.config.features))})")
    train(live, handed(script, case), case.x, "y")
    script("y = y.astype(np.float64)", "mean, var = moments(float64(x))")
    script.within("mean of y", "y.mean(axis=0)", "np.zeros_like(mean)")
    script.within("mean square of y", "np.square(y).mean(axis=0)", f"var / (var + {live.eps})")
