"""STATE: the layer as an NNX module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from conformance.adapters.protocols import ARRAYS, COUNT, PARAMETERS, STATISTICS
from conformance.numerics import bounds, oracle
from conformance.properties.support.checks import (
    check_identical,
    check_members,
    check_same,
    check_true,
    check_within,
)
from conformance.properties.support.claims import check_kept
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.module_facts import (
    as_paths,
    as_row,
    as_shape,
    count_all,
    count_distinct,
    describe_holders,
    has_leaf,
    identify,
    is_own,
    is_statistic,
    leaf_at,
    list_leaves,
    paths_of,
    read_leaves,
)
from conformance.properties.support.property import requirement
from conformance.properties.support.session import Answer
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import cases


@requirement("BN-STATE-1", share=0.15, case=cases)
def gamma_and_beta_are_params(subject: Subject, case: Case) -> None:
    """type(gamma), type(beta) ⊆ nnx.Param"""
    held = describe_holders(subject.build(case.config))

    for name in subject.conventions.present(PARAMETERS):
        found = held[name]
        check_true(name, found["is_param"], got=found["title"], expected="nnx.Param")


@requirement("BN-STATE-2", share=0.15, case=cases)
def statistics_are_variables_but_not_params(subject: Subject, case: Case) -> None:
    """type(running_mean), type(running_var) ⊆ nnx.Variable, but not ⊆ nnx.Param"""
    held = describe_holders(subject.build(case.config))

    for name in STATISTICS:
        found = held[name]
        right = is_statistic(found)
        wanted = "an nnx.Variable, and not an nnx.Param"
        check_true(name, right, got=found["title"], expected=wanted)


@requirement("BN-STATE-3", share=0.25, case=cases, trained=lambda _: integers(0, 1))
def split_yields_exactly_the_four(subject: Subject, case: Case, trained: int) -> None:
    """state = {gamma, beta, running_mean, running_var}; Param selects the first two"""
    layer, _, x = subject.start(case)
    if trained:
        layer.train(x)

    of_count = (COUNT,) if subject.conventions.counts() else ()
    present, extra = subject.conventions.present, subject.implementation.design.extra
    groups = {
        ARRAYS: present(ARRAYS) + of_count + extra,
        PARAMETERS: present(PARAMETERS),
        STATISTICS: present(STATISTICS) + of_count + extra,
    }
    path_of = paths_of(layer)
    wanted = {group: as_paths([path_of[n] for n in held]) for group, held in groups.items()}
    check_members("leaves of nnx.split", list_leaves(layer), wanted[ARRAYS])
    if subject.conventions.always_evaluates():
        return  # nothing in it is trained, whatever its type
    params = list_leaves(layer, "parameters")
    check_members("leaves selected by nnx.Param", params, wanted[PARAMETERS])
    rest = list_leaves(layer, "others")
    check_members("leaves that are not nnx.Param", rest, wanted[STATISTICS])


@requirement("BN-STATE-4", share=0.25, case=cases, other=lambda _: integers(1, 99))
def hyperparameters_are_no_leaves(subject: Subject, case: Case, other: int) -> None:
    """leaves(m, ε) = leaves(m*, ε*)"""
    changed = replace(case.config, momentum=other / 100, eps=other * 1e-4)
    changed = subject.implementation.design.configured(changed)
    one, two = subject.build(case.config), subject.build(changed)

    there, here = read_leaves(two), read_leaves(one)
    check_same("paths of the leaves", as_paths(there), as_paths(here))
    path_of = paths_of(one)
    extra = as_paths([path_of[name] for name in subject.implementation.design.extra])
    for path in there:
        if path in extra:
            continue  # may be computed from ε, such as what is kept of 1/√(v + ε)
        name, rule = "/".join(map(str, path)), "whatever momentum and eps are"
        check_identical(name, leaf_at(there, path), leaf_at(here, path), rule=rule)


@requirement("BN-STATE-5", share=0.22, case=cases, evaluate=lambda _: integers(0, 1))
def a_call_moves_nothing_but_statistics(
    subject: Subject, case: Case, evaluate: int
) -> Iterator[None]:
    """tree, Variables, types, metadata, shapes, dtypes, γ and β are kept; all in evaluation"""
    layer, before, x = subject.start(case)
    facts = _ask_for_anatomy(layer)
    layer.call(x, bool(evaluate))
    facts_after, after = _ask_for_anatomy(layer), layer.state
    yield

    anatomy = _anatomy(*facts)
    for what, value in _anatomy(*facts_after).items():
        check_same(what, value, anatomy[what])
    kept = ARRAYS if evaluate else PARAMETERS
    check_kept(after, before, "as before the call", names=kept)


@requirement("BN-STATE-6", share=0.12, case=cases)
def split_carries_the_new_statistics(subject: Subject, case: Case) -> None:
    """split(train(layer)) holds rm', rv'"""
    layer, before, x = subject.start(case)
    layer.train(x)
    split, path_of = read_leaves(layer), paths_of(layer)

    expected = oracle.train(case.config, before, case.x, subject.conventions)
    bound = bounds.train(case.config, before, case.x, subject.conventions)
    for name in STATISTICS:
        path = path_of[name]
        check_true(
            f"leaf {name}", has_leaf(split, path), got="absent", expected="a leaf of nnx.split"
        )
        wanted, limit = getattr(expected, name), getattr(bound, name)
        check_within(f"{name} in nnx.split", as_row(split[path]), wanted, limit)


@requirement("BN-STATE-7", share=0.25, case=cases)
def instances_share_nothing(subject: Subject, case: Case) -> None:
    """no Variable in two instances, no effect of one on the other"""
    one, two = subject.build(case.config), subject.build(case.config)
    mine = describe_holders(one)
    for name, holder in describe_holders(two).items():
        owners = [each for each, other in mine.items() if other["identity"] == holder["identity"]]
        got = f"shared with {owners[-1] if owners else ''}"
        check_true(f"the holder of {name}", is_own(holder, mine), got=got, expected="own")
    before = two.state
    one.train(subject.input(case))

    check_kept(two.state, before, "untouched by the training of another instance")


@requirement("BN-STATE-8", share=0.25, case=cases, evaluate=lambda _: integers(0, 1))
def the_graph_definition_is_constant(subject: Subject, case: Case, evaluate: int) -> None:
    """graphdef(before) = graphdef(after)"""
    layer, _, x = subject.start(case)
    before = layer.keep("keep_graph", label="nnx.graphdef")
    layer.call(x, bool(evaluate))

    same = layer.ask("has_graph", before, label="nnx.graphdef")
    check_true("the graph definition", same, got="changed by a call", expected="as before")


@requirement("BN-STATE-9", share=0.1, case=cases)
def leaves_share_no_buffer(subject: Subject, case: Case) -> None:
    """no buffer in two leaves"""
    buffers = subject.build(case.config).ask("list_buffers", label="nnx.split")
    check_same("distinct buffers of the leaves", count_distinct(buffers), count_all(buffers))


def _ask_for_anatomy(layer: LayerHandle) -> tuple[Answer, Answer]:
    """Ask for the leaves of a layer, and for what holds its arrays."""
    session, ref = layer.session, layer.ref
    leaves = session.request("list_leaves", ref, "all", label="nnx.split")
    return leaves, session.request("describe_holders", ref, label="reading the Variables")


def _anatomy(leaves: Answer, holders: Answer) -> dict[str, Any]:
    """Return everything about the state that a call has to keep, except the values."""
    described: dict[str, Any] = {"leaves of nnx.split": as_paths(leaves.value)}
    for name, holder in holders.value.items():
        described |= {
            f"type of {name}": holder["title"],
            f"shape of {name}": as_shape(holder["shape"]),
            f"dtype of {name}": holder["dtype"],
        }
        if holder["is_variable"]:
            described[f"the Variable object of {name}"] = identify(holder)
            described[f"metadata of {name}"] = holder["metadata"]
    return described
