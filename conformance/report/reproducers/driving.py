"""Writes how a module is called, for scripts in which it is called as a user would."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.adapters.calling import Calling, Layout
from conformance.report.reproducers.bundle import Bundle

NAME = "call"
"""The name of the function in a script."""


def call_source(calling: Calling, bundle: Bundle) -> str:
    """Return the source text of a function that calls a layer on rows, (N, D).

    Args:
        calling: How the layer is called.
        bundle: The definitions of the script, to which those are added that are needed.
    """
    layout = calling.layout
    native = layout.ndim > 2
    lines = [f"def {NAME}(layer, x, use_running_average):"]
    if native:
        sizes = bundle.add("conformance.adapters.calling", "factorize")
        there = f".transpose{layout.order}" * layout.first
        lines.append(
            f"    native = x.reshape(*{sizes}(len(x), {layout.ndim - 1}), x.shape[1]){there}"
        )
    enter, argument, leave = _mode(calling)
    lines += [f"    {enter}"] * bool(enter)
    lines.append(f"    y = layer({'native' if native else 'x'}{argument})")
    lines += [f"    {leave}"] * bool(leave)
    lines += list(_back(layout)) if native else ["    return y"]
    return "\n".join(lines)


def _mode(calling: Calling) -> tuple[str, str, str]:
    """Return the statement before the call, the argument in it, and the statement after it."""
    value = "not use_running_average" if calling.inverted else "use_running_average"
    training = repr(calling.inverted)
    if calling.values is not None:
        training, evaluation = map(repr, calling.values)
        value = f"{evaluation} if use_running_average else {training}"
    if calling.flag is None:
        return "", "", ""
    if calling.takes_argument:
        return "", f", {calling.flag}={value}", ""
    if calling.methods is not None:
        train, evaluate = calling.methods
        choice = f"layer.{evaluate}() if use_running_average else layer.{train}()"
        return choice, "", f"layer.{train}()"
    if calling.setter is not None:
        setter, argument = calling.setter
        after = f"layer.{setter}({argument}={training})"
        return f"layer.{setter}({argument}={value})", "", after
    return f"layer{calling.flag} = {value}", "", f"layer{calling.flag} = {training}"


def _back(layout: Layout) -> Iterator[str]:
    yield "    if y.shape != native.shape:"
    yield "        return y"
    there = f".transpose{layout.inverse_order}" * layout.first
    yield f"    return y{there}.reshape(x.shape)"
