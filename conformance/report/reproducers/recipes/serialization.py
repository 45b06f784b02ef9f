"""SER: taking a layer apart, copying it, and restoring it."""

from __future__ import annotations

from dataclasses import replace

from conformance.adapters.operations.catalogue import COPIES as COPIED
from conformance.adapters.operations.catalogue import RESTORATIONS
from conformance.adapters.protocols import ARRAYS
from conformance.properties.serialization import GIVEN
from conformance.report.reproducers.recipes.compilation import JITTED
from conformance.report.reproducers.recipes.registry import recipe
from conformance.report.reproducers.scene import (
    Live,
    build,
    check_evaluated,
    check_evaluation,
    check_trained,
    handed,
    read,
    start,
    train,
)
from conformance.report.reproducers.script import Script
from conformance.strategies.case import Case
from conformance.strategies.distinct import Replaced

_WAYS = {
    "nnx.split and nnx.merge": "merged_again(layer)",
    "a pure dictionary": "through_pure_dict(layer, fresh)",
    "nnx.split by nnx.Param and nnx.merge": "merged_by_kind(layer)",
    "a flat state": "through_flat_state(layer, fresh)",
    "the list of leaves": "through_leaves(layer, fresh)",
}
COPIES = {
    "nnx.clone": "nnx.clone({})",
    "copy.deepcopy": "copy.deepcopy({})",
    "pickle": "pickled({})",
}


def check_state(live: Live, what: str, expected: str) -> None:
    """Compare all four arrays with those of a state."""
    live.script.kept(expected, live.name, ARRAYS, of=f" of {what}")


def check_in_use(live: Live, case: Case, saved: str) -> None:
    """Compare the results of a layer in both modes with those that its state must lead to."""
    script, x = live.script, handed(live.script, case)
    script(f"y = np.array(evaluate({live.name}, {x}))")
    check_evaluated(live, "x", case.x, "y", saved)
    script(JITTED, f"y = np.array(jitted({live.name}, {x}, True))")
    check_evaluated(live, "x", case.x, "y", saved)
    bound = train(live, x, case.x, "y")
    check_trained(live, "x", saved, "y", bound)
    check_evaluation(live, case)


def _beside(live: Live, name: str) -> Live:
    """Return another layer, with which a correct one would agree in everything."""
    return replace(live, name=name)


@recipe("BN-SER-1")
def restored(script: Script, case: Case, way: int, trained: int) -> None:
    live, x = start(script, case), handed(script, case)
    script(f"evaluate(layer, {x})")
    if trained:
        train(live, x, case.x)
    read(live, "saved_state")
    made = _WAYS[RESTORATIONS[way]]
    if "fresh" in made:
        build(script, replace(case.config, seed=case.config.seed + 1), name="fresh")
    script(f"restored = {made}")
    again = _beside(live, "restored")
    check_state(again, "the restored layer", "saved_state")
    check_in_use(again, case, "saved_state")


@recipe("BN-SER-2")
def copied(script: Script, drawn: Replaced, way: int, first: int) -> None:
    case, different = drawn
    live, x = start(script, case), handed(script, case)
    copied = COPIES[COPIED[way]]
    script(f"early = {copied.format('layer')}", f"evaluate(layer, {x})")
    early = _beside(live, "early")
    train(live, x, case.x)
    read(live, "kept")
    script(f"late = {copied.format('layer')}")
    late = _beside(live, "late")
    check_state(late, "the copy", "kept")
    pair = {"the copy": late, "the layer copied": live}
    one, other = reversed(pair) if first else pair
    changed = script.let("different", different)
    for name_of, moved in ((one, other), (other, one)):
        read(pair[name_of], "kept")
        train(pair[moved], x, case.x)
        check_state(pair[name_of], name_of, "kept")
        script(f"write({pair[moved].name}, {changed})")
        pair[moved].state = different
        check_state(pair[name_of], name_of, "kept")
        check_in_use(pair[name_of], case, "kept")
    script(f"copy_of_early = {copied.format('early')}", f"train(copy_of_early, {x})")
    check_state(early, "the earlier copy", "before")
    check_in_use(early, case, "before")


@recipe("BN-SER-3")
def checkpoint(script: Script, case: Case) -> None:
    live, x = start(script, case), handed(script, case)
    train(live, x, case.x)
    read(live, "kept")
    build(script, replace(case.config, seed=case.config.seed + 1), name="restored")
    script(f"evaluate(restored, {x})", "through_checkpoint(layer, restored)")
    again = _beside(live, "restored")
    check_state(again, "the restored layer", "kept")
    check_in_use(again, case, "kept")
    check_state(live, "the layer saved", "kept")


@recipe("BN-SER-4")
def updated(script: Script, drawn: Replaced, which: int) -> None:
    case, other = drawn
    live, x = start(script, case), handed(script, case)
    script(f"evaluate(layer, {x})")
    train(live, x, case.x)
    read(live, "now")
    names = GIVEN[which]
    listed = ", ".join(f'"{name}"' for name in names)
    build(script, case.config, other, "source")
    script(f"update(layer, source, {listed})")
    given = script.let("given", {name: getattr(other, name) for name in names})
    script(f"updated = {{**now, **{given}}}")
    live.state = live.state.replace(**{name: getattr(other, name) for name in names})
    check_state(live, "the updated layer", "updated")
    check_in_use(live, case, "updated")
    build(script, case.config, case.state, "source")
    script(f"update(layer, source, {', '.join(repr(name) for name in ARRAYS)})")
    live.state = case.state or live.state
    check_state(live, "the layer", "before")
    check_in_use(live, case, "before")
