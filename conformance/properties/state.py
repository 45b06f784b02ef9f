"""STATE: the layer as an NNX module."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
from flax import nnx

from conformance.adapters.nnx import to_numpy
from conformance.adapters.protocols import ARRAYS, COUNT, PARAMETERS, STATISTICS
from conformance.numerics import bounds, oracle
from conformance.properties.support.checks import (
    check_identical,
    check_same,
    check_true,
    check_within,
)
from conformance.properties.support.claims import check_kept
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.nnx_state import holders, leaves, path_of
from conformance.properties.support.property import requirement
from conformance.properties.support.subject import Subject
from conformance.strategies.bytestream import integers
from conformance.strategies.case import Case
from conformance.strategies.cases import cases


@requirement("BN-STATE-1", share=0.15, case=cases)
def gamma_and_beta_are_params(subject: Subject, case: Case) -> None:
    """type(gamma), type(beta) ⊆ nnx.Param"""
    held = holders(subject.build(case.config))

    for name in PARAMETERS:
        found = type(held[name])
        check_true(name, issubclass(found, nnx.Param), got=_title(found), expected="nnx.Param")


@requirement("BN-STATE-2", share=0.15, case=cases)
def statistics_are_variables_but_not_params(subject: Subject, case: Case) -> None:
    """type(running_mean), type(running_var) ⊆ nnx.Variable, but not ⊆ nnx.Param"""
    held = holders(subject.build(case.config))

    for name in STATISTICS:
        found = type(held[name])
        right = issubclass(found, nnx.Variable) and not issubclass(found, nnx.Param)
        wanted = "an nnx.Variable that is no nnx.Param"
        check_true(name, right, got=_title(found), expected=wanted)


@requirement("BN-STATE-3", share=0.25, case=cases, trained=lambda _: integers(0, 1))
def split_yields_exactly_the_four(subject: Subject, case: Case, trained: int) -> None:
    """state = {gamma, beta, running_mean, running_var}; Param selects the first two"""
    layer, _, x = subject.start(case)
    if trained:
        layer.train(x)

    of_count = (COUNT,) if subject.conventions.counts() else ()
    groups = {ARRAYS: ARRAYS + of_count, PARAMETERS: PARAMETERS, STATISTICS: STATISTICS + of_count}
    wanted = {g: sorted(path_of(layer, name) for name in held) for g, held in groups.items()}
    check_same("leaves of nnx.split", sorted(leaves(layer.module)), wanted[ARRAYS])
    params = sorted(leaves(layer.module, nnx.Param))
    check_same("leaves selected by nnx.Param", params, wanted[PARAMETERS])
    rest = sorted(leaves(layer.module, nnx.Not(nnx.Param)))
    check_same("leaves that are not nnx.Param", rest, wanted[STATISTICS])


@requirement("BN-STATE-4", share=0.25, case=cases, other=lambda _: integers(1, 99))
def hyperparameters_are_no_leaves(subject: Subject, case: Case, other: int) -> None:
    """leaves(m, ε) = leaves(m*, ε*)"""
    changed = replace(case.config, momentum=other / 100, eps=other * 1e-4)
    one, two = subject.build(case.config), subject.build(changed)

    there, here = leaves(two.module), leaves(one.module)
    check_same("paths of the leaves", sorted(there), sorted(here))
    for path, leaf in there.items():
        name, rule = "/".join(map(str, path)), "whatever momentum and eps are"
        check_identical(name, to_numpy(leaf), to_numpy(here[path]), rule=rule)


@requirement("BN-STATE-5", share=0.5, case=cases, evaluate=lambda _: integers(0, 1))
def a_call_moves_nothing_but_statistics(subject: Subject, case: Case, evaluate: int) -> None:
    """tree, Variables, types, metadata, shapes, dtypes, γ and β are kept; all in evaluation"""
    layer, before, x = subject.start(case)
    anatomy = _anatomy(layer)
    layer.call(x, bool(evaluate))

    for what, value in _anatomy(layer).items():
        check_same(what, value, anatomy[what])
    kept = ARRAYS if evaluate else PARAMETERS
    check_kept(layer.state, before, "as before the call", names=kept)


@requirement("BN-STATE-6", share=0.3, case=cases)
def split_carries_the_new_statistics(subject: Subject, case: Case) -> None:
    """split(train(layer)) holds rm', rv'"""
    layer, before, x = subject.start(case)
    layer.train(x)
    split = leaves(layer.module)

    expected = oracle.train(case.config, before, case.x, subject.conventions)
    bound = bounds.train(case.config, before, case.x, subject.conventions)
    for name in STATISTICS:
        path = path_of(layer, name)
        check_true(f"leaf {name}", path in split, got="absent", expected="a leaf of nnx.split")
        got = np.asarray(split[path])
        check_within(f"{name} in nnx.split", got, getattr(expected, name), getattr(bound, name))


@requirement("BN-STATE-7", share=0.25, case=cases)
def instances_and_leaves_share_nothing(subject: Subject, case: Case) -> None:
    """no Variable in two instances, no buffer in two leaves, no effect of one on the other"""
    one, two = subject.build(case.config), subject.build(case.config)
    mine = {id(holder): name for name, holder in holders(one).items()}
    for name, holder in holders(two).items():
        shared = mine.get(id(holder), "")
        check_true(f"the holder of {name}", not shared, got=f"shared with {shared}", expected="own")
    buffers = {path: _buffer(leaf) for path, leaf in leaves(one.module).items()}
    check_same("distinct buffers of the leaves", len(set(buffers.values())), len(buffers))
    before = two.state
    one.train(subject.input(case))

    check_kept(two.state, before, "untouched by the training of another instance")


@requirement("BN-STATE-8", share=0.25, case=cases, evaluate=lambda _: integers(0, 1))
def the_graph_definition_is_constant(subject: Subject, case: Case, evaluate: int) -> None:
    """graphdef(before) = graphdef(after)"""
    layer, _, x = subject.start(case)
    before = nnx.graphdef(layer.module)
    layer.call(x, bool(evaluate))

    same = nnx.graphdef(layer.module) == before
    check_true("the graph definition", same, got="changed by a call", expected="as before")


def _anatomy(layer: LayerHandle) -> dict[str, Any]:
    """Return everything about the state that a call has to keep, except the values."""
    described: dict[str, Any] = {"leaves of nnx.split": sorted(leaves(layer.module))}
    for name, holder in holders(layer).items():
        value = holder.get_value() if isinstance(holder, nnx.Variable) else holder
        described |= {
            f"type of {name}": _title(type(holder)),
            f"shape of {name}": np.shape(value),
            f"dtype of {name}": str(getattr(value, "dtype", type(value).__name__)),
        }
        if isinstance(holder, nnx.Variable):
            described[f"the Variable object of {name}"] = f"#{id(holder)}"
            described[f"metadata of {name}"] = repr(holder.get_metadata())
    return described


def _buffer(leaf: Any) -> int:
    """Return what identifies the memory of a leaf: its address, or the object itself."""
    if isinstance(leaf, jax.Array) and leaf.is_fully_addressable:
        return int(leaf.addressable_shards[0].data.unsafe_buffer_pointer())
    return id(leaf)


def _title(kind: type) -> str:
    return f"{kind.__module__.split('.')[0]}.{kind.__name__}"
