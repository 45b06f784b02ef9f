"""Finds out what a module takes beyond rows: further axes, masks, another axis, a named axis."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from conformance.adapters.calling import Calling, Layout
from conformance.adapters.domain import Wider
from conformance.adapters.recognition.constructor import WIDTH, Plan
from conformance.adapters.recognition.effects import make_rows
from conformance.adapters.recognition.mode_choice import Mode, read_call
from conformance.adapters.recognition.names import AXES, AXIS_NAMES, DTYPES, MASKS
from conformance.adapters.recognition.ranks import SHAPES, Fit
from conformance.adapters.recognition.signature import Parameter, Signature
from conformance.adapters.recognition.specimen import Specimen

_AXIS_SHAPES = ((2, 3, 4, 5), (2, 3, 4, 3))
"""The second also fits a layer that applies γ along the last axis: that is its fault."""


def find_extended(
    plan: Plan,
    signature: Signature,
    specimen: Specimen,
    fit: Fit,
    mode: Mode,
    further: tuple[Layout, ...],
) -> tuple[Wider | None, str]:
    """Return the extended domain, and the name of the argument for the dtype.

    Args:
        plan: How the module is constructed.
        signature: What its constructor takes.
        specimen: The module.
        fit: The layout of the input.
        mode: How the mode is chosen.
        further: The other layouts that it takes.
    """
    taken = {*plan.keywords.values(), *plan.arguments}
    optional = {
        n: each for n, each in signature.parameters.items() if n not in taken and not each.required
    }
    dtype = next((name for name in DTYPES if name in optional), "")
    if fit.layout.ndim != 2 or not fit.complete:
        return None, dtype
    ndim = {Layout(ndim=3), Layout(ndim=4)} <= set(further)
    axis = next((n for n in AXES if n in optional and type(optional[n].default) is int), "")
    axis_name = next((name for name in AXIS_NAMES if name in optional), "")
    mask, by_row = _find_mask(specimen, mode, ndim=ndim)
    wider = Wider(
        ndim=ndim,
        axis=axis if ndim and axis and _takes_axis(plan, mode, optional[axis]) else "",
        mask=mask,
        mask_by_row=by_row,
        axis_name=axis_name
        if axis_name and _takes_axis_name(plan, mode, optional[axis_name])
        else "",
    )
    return (None if wider == Wider() else wider), dtype


def _works(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001  a call may raise anything
        return False
    return True


def _takes_axis(plan: Plan, mode: Mode, axis: Parameter) -> bool:
    """Whether a module with features on axis 1 can be built, and called in some shape."""

    def build() -> Any:
        return plan.construct(further={axis.name: 1})

    return any(
        _works(
            lambda shape=shape: Specimen(build(), build).try_shape(  # type: ignore[misc]
                mode.calling, shape, evaluate=False
            )
        )
        for shape in _AXIS_SHAPES[: 1 if axis.inherited else 2]
    )


def _find_mask(specimen: Specimen, mode: Mode, *, ndim: bool) -> tuple[str, bool]:
    """Return the name of the mask, and whether it has the shape of x without the features."""
    names = {each.name: each for each in read_call(specimen.module)}
    name = next((each for each in MASKS if each in names), "")
    if not name or names[name].default is inspect.Parameter.empty:
        return "", False
    shapes = [SHAPES[Layout(ndim=2)], *([SHAPES[Layout(ndim=3)]] if ndim else [])]
    broadcasting = all(
        _takes_mask(specimen, mode.calling, name, shape, (*shape[:-1], width))
        for shape in shapes
        for width in (1, WIDTH)
    )
    by_row = all(_takes_mask(specimen, mode.calling, name, shape, shape[:-1]) for shape in shapes)
    return (name, not broadcasting) if broadcasting or by_row else ("", False)


def _takes_mask(
    specimen: Specimen,
    calling: Calling,
    name: str,
    shape: tuple[int, ...],
    mask_shape: tuple[int, ...],
) -> bool:
    mask: Mapping[str, Any] = {name: jax.ShapeDtypeStruct(mask_shape, np.bool_)}
    result: Any = None

    def call() -> None:
        nonlocal result
        result = specimen.try_shape(calling, shape, evaluate=False, **mask)

    return _works(call) and result.y.shape == shape


def _takes_axis_name(plan: Plan, mode: Mode, axis_name: Parameter) -> bool:
    """Whether a module that shares its statistics over a named axis can be mapped over it.

    One whose base class may never see the argument must fail where the axis is not there.
    """
    x = np.stack([make_rows(5), make_rows(5)])

    def call(*, mapped: bool) -> None:
        graphdef, state = nnx.split(plan.construct(further={axis_name.name: "shards"}))

        def train(leaves: Any, x: Any) -> Any:
            return mode.calling.native(nnx.merge(graphdef, leaves), x, False)

        over_shards = jax.vmap(train, in_axes=(None, 0), axis_name="shards")
        jax.eval_shape(*((over_shards, state, x) if mapped else (train, state, x[0])))

    works = _works(lambda: call(mapped=True))
    return works and not (axis_name.inherited and _works(lambda: call(mapped=False)))
