"""SER: taking a layer apart, copying it, and restoring it.

A restored layer must hold the values, and use them: so it is evaluated, eagerly and compiled,
then trained one step, then evaluated again, each time judged by the oracle at the state that
was saved. No two numbers of a saved state are equal, so that no swap of slots survives.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from conformance.adapters.operations.catalogue import COPIES, RESTORATIONS
from conformance.adapters.protocols import ARRAYS, COUNT, PARAMETERS, STATISTICS
from conformance.numerics.state import State
from conformance.properties.support.checks import check_identical
from conformance.properties.support.claims import (
    check_evaluated,
    check_evaluation,
    check_kept,
    check_trained,
)
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.module_facts import leaf_at, paths_of, read_leaves
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.distinct import Replaced, distinct_cases, replaced_cases
from conformance.strategies.shape_grid import TRANSFORMED


def check_state(what: str, layer: LayerHandle, expected: State, rule: str) -> None:
    """Check that all four arrays are identical to those of a state."""
    check = partial(check_kept, layer.state, expected, rule, of=f" of {what}")
    layer.session.later(check)


def check_extra(
    subject: Subject, what: str, layer: LayerHandle, original: LayerHandle, rule: str
) -> None:
    """Check that state which is declared beyond the four arrays is identical in two layers."""
    for name in subject.implementation.design.extra:
        got, expected = (
            leaf_at(read_leaves(each), paths_of(each)[name]) for each in (layer, original)
        )
        check_identical(f"{name} of {what}", got, expected, rule=rule)


def check_in_use(subject: Subject, case: Case, layer: LayerHandle, held: State) -> None:
    """Check that the state which the layer holds is the one that it uses, in both modes."""
    session, x = subject.session, subject.input(case)
    for y in (layer.evaluate(x), layer.call_jitted(x, evaluate=True)):
        evaluated = case.config, held, case.x, y, subject.conventions
        session.later(partial(check_evaluated, *evaluated))
    y, after = layer.train(x), layer.state
    session.later(partial(check_trained, subject, case, held, y, after))
    check_evaluation(layer, case, x)


def elsewhere(subject: Subject, case: Case) -> LayerHandle:
    """Return a fresh layer of the same configuration, built from another seed."""
    return subject.build(replace(case.config, seed=case.config.seed + 1))


@requirement(
    "BN-SER-1",
    share=0.4,
    case=lambda _: distinct_cases(TRANSFORMED),
    way=lambda _: integers(0, len(RESTORATIONS) - 1),
    trained=lambda _: integers(0, 1),
)
def taking_apart_and_restoring(subject: Subject, case: Case, way: int, trained: int) -> None:
    """merge(split(layer)), and the same through other forms of the state, is the layer"""
    layer, _, x = subject.start(case)
    layer.evaluate(x)
    if trained:
        layer.train(x)
    saved = layer.usable_state
    through = RESTORATIONS[way]
    fresh, label = elsewhere(subject, case), f"restoring through {through}"
    again = layer.at(layer.keep("restore_through", fresh.ref, through, label=label))

    check_state("the restored layer", again, saved, rule=f"as saved through {through}")
    check_extra(subject, "the restored layer", again, layer, rule=f"as saved through {through}")
    check_in_use(subject, case, again, saved)


@requirement(
    "BN-SER-2",
    share=0.4,
    drawn=lambda _: replaced_cases(TRANSFORMED),
    way=lambda _: integers(0, len(COPIES) - 1),
    first=lambda _: integers(0, 1),
)
def copies_are_equal_and_independent(
    subject: Subject, drawn: Replaced, way: int, first: int
) -> None:
    """copy = layer; training or writing one of them leaves the other alone, in both directions"""
    case, different = drawn
    layer, before, x = subject.start(case)
    name = COPIES[way]

    def copied(original: LayerHandle) -> LayerHandle:
        return original.at(original.keep("copy_by", name, label=name))

    early = copied(layer)
    layer.evaluate(x)
    layer.train(x)
    saved = layer.usable_state
    late, rule = copied(layer), f"as in the layer that {name} was given"
    check_state("the copy", late, saved, rule=rule)
    check_extra(subject, "the copy", late, layer, rule=rule)

    pair = {"the copy": late, "the layer copied": layer}
    one, other = reversed(pair) if first else pair
    for name_of, moved in ((one, other), (other, one)):
        kept = pair[name_of].usable_state
        pair[moved].train(x)
        rule = f"as before a training call on {moved}"
        check_state(name_of, pair[name_of], kept, rule=rule)
        pair[moved].write(different)
        check_state(name_of, pair[name_of], kept, rule=f"as before a write to {moved}")
        check_in_use(subject, case, pair[name_of], kept)
    of_early = copied(early)
    of_early.train(x)
    rule = "as when it was made, whatever became of the layer, and of a copy of the copy"
    check_state("the earlier copy", early, before, rule=rule)
    check_in_use(subject, case, early, before)


@requirement("BN-SER-3", share=0.03, case=lambda _: distinct_cases(TRANSFORMED))
def a_checkpoint_restores_the_layer(subject: Subject, case: Case) -> None:
    """train, save to disk, restore into a fresh layer from another seed: the same evaluation"""
    layer, _, x = subject.start(case)
    layer.train(x)
    saved = layer.usable_state
    restored = elsewhere(subject, case)
    restored.evaluate(x)
    layer.do("restore_checkpoint", restored.ref, label="the Orbax checkpoint")

    rule = "as when the checkpoint was written"
    check_state("the restored layer", restored, saved, rule=rule)
    check_extra(subject, "the restored layer", restored, layer, rule=rule)
    check_in_use(subject, case, restored, saved)
    check_state("the layer saved", layer, saved, rule=rule)


GIVEN = (ARRAYS, *((name,) for name in ARRAYS), PARAMETERS, STATISTICS)
"""What one update writes: all four arrays, one of them, or one kind."""


@requirement(
    "BN-SER-4",
    share=0.1,
    drawn=lambda _: replaced_cases(TRANSFORMED),
    which=lambda _: integers(0, len(GIVEN) - 1),
)
def updates_go_to_their_own_slots(subject: Subject, drawn: Replaced, which: int) -> None:
    """nnx.update(layer, new): what is given is held and used, the rest stays; and once more"""
    case, other = drawn
    layer, before, x = subject.start(case)
    layer.evaluate(x)
    layer.train(x)
    now = layer.usable_state
    names = subject.conventions.present(GIVEN[which])
    _update(layer, subject.build(case.config, other), names)

    given: dict[str, Any] = {n: array for n, array in other.arrays().items() if n in names}
    if _updates_count(layer, names):
        given["count"] = None  # that of a layer which was written, any number
    expected = now.replace(**given)
    rule = f"after nnx.update of {', '.join(names)}"
    check_state("the updated layer", layer, expected, rule=rule)
    check_in_use(subject, case, layer, expected)
    _update(layer, subject.build(case.config, before), subject.conventions.present())
    check_state("the layer", layer, before, rule="after a second nnx.update, of all four arrays")
    check_in_use(subject, case, layer, before)


def _updates_count(layer: LayerHandle, names: tuple[str, ...]) -> bool:
    """Averages that know their age are updated together with it, if a layer has such."""
    return layer.conventions.counts() and set(STATISTICS) <= set(names)


def _update(layer: LayerHandle, source: LayerHandle, names: tuple[str, ...]) -> None:
    """Write the named arrays of another layer into a living one."""
    written = [*names, *(COUNT,) * _updates_count(layer, names)]
    layer.do("update_from", source.ref, written, label="nnx.update")
