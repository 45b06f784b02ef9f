"""The operations that make a call with a small edit of the source of the implementation."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from functools import cache, lru_cache
from itertools import count
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp

from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.edit import IN_TRAINING, Edit
from conformance.adapters.operations.edited_functions import edited, functions_of
from conformance.adapters.operations.expressions import function_of
from conformance.adapters.operations.frames import is_own
from conformance.adapters.operations.layer_calls import build
from conformance.adapters.operations.name_flow import describe_node, parse
from conformance.adapters.operations.nnx_steps import set_mode
from conformance.adapters.operations.other_expressions import Rank
from conformance.adapters.operations.source_edits import edits_of
from conformance.adapters.operations.values import numbers
from conformance.adapters.protocols import ARRAYS, STATISTICS, Layer

_Names = tuple[tuple[str, str], ...]


def list_edits(implementation: Implementation, made: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the edits of what a call executes, the most usual first, and then the first executed.

    Of those that are guessed, the ones of what only derivatives execute come first.

    Args:
        implementation: What is judged.
        made: The call: ``features``, ``momentum``, ``eps`` and ``seed`` of the layer; ``arrays``,
            its state, by name; ``x``, the batch, (N, D), or None if the layer is only constructed;
            ``flag``, ``use_running_average``; ``training``, whether it trains; ``mode``, the mode
            in which the module is put, or None; ``w``, the cotangent of y, (N, D), to differentiate
            it, or None; and ``history``, the calls of the layer before, with the same fields.

    Returns:
        The edits in the rules of derivatives if it is differentiated and has any, else in all that
        is executed. Of each the place, as ``place_of`` describes it, ``number``, by which
        ``try_edits`` knows it together with the file, ``rank``, ``how`` it changes that place, the
        ``new`` text, and the ``scope``, the classes and functions around it.
    """
    executed = _executed(implementation, made)
    pulled = made["w"] is not None
    forward = _executed(implementation, {**made, "w": None}) if pulled else executed
    names = _statistics(implementation, made)
    found = []
    for file, lines in executed.items():
        backward = lines.keys() - forward[file]
        rules = (backward | (lines.keys() & _lines_of_rules(parse(file)))) if pulled else set()
        for number, edit in enumerate(_edits(file, names)[1]):
            if edit.statement is None:
                continue
            guessed, rows = edit.rank >= Rank.FACTOR, _lines_of(edit.statement)
            if guessed and edit.rank != Rank.NAME and "__init__" in edit.scope:
                continue  # a factor of the size of parts, for example, would hide what is wrong
            among = rules or lines.keys()
            if (edit.scope or guessed) and among.isdisjoint(rows):
                continue
            more = {"number": number, "rank": int(edit.rank), "how": edit.how, "new": edit.text}
            place = describe_node(edit.shown, file)
            first = min((lines[each] for each in rows if each in lines), default=0)
            usual = min(edit.rank, Rank.FACTOR), guessed and backward.isdisjoint(rows), edit.rank
            reported = {**place, **more, "scope": ".".join(edit.scope)}
            found.append((usual, first, number, reported))
    return [reported for *_, reported in sorted(found, key=lambda each: each[:3])]


def try_edits(
    implementation: Implementation, made: dict[str, Any], chosen: list[Any]
) -> list[dict[str, Any]]:
    """Make a call with one edit at a time.

    Args:
        implementation: What is judged.
        made: The call; see ``list_edits``.
        chosen: The file and the number of each edit; no file for none.

    Returns:
        For each, y and the arrays after the call by name, or the gradients of Σ w·y with respect to
        x and the arrays; nothing if the call raises, or the edit changes nothing.
    """
    names = _statistics(implementation, made)
    functions = functions_of(frozenset(file for file, _ in chosen))
    results = []
    for file, number in chosen:
        tree, edits = _edits(file, names) if file else (ast.Module([], []), [])
        edit = edits[number] if number < len(edits) else None
        if edit is None or (edit.how == IN_TRAINING and made["training"]):
            results.append(_results(implementation, made))
            continue
        with edited(tree, file, edit, functions[file]) as changed:
            results.append(_results(implementation, made) if changed else {})
    return results


def _results(implementation: Implementation, made: Mapping[str, Any]) -> dict[str, Any]:
    with jax.disable_jit(), suppress(Exception):  # what an edit makes it raise is no answer
        layer: Any = _build(implementation, made)
        if made["x"] is None:
            return _arrays(layer.read())
        for earlier in made["history"]:
            layer.write(earlier["arrays"])
            layer(jnp.asarray(earlier["x"]), bool(earlier["flag"]))
        layer.write(made["arrays"])
        if made["mode"] is not None:
            set_mode(layer, made["mode"])
        x, flag, w = jnp.asarray(made["x"]), bool(made["flag"]), made["w"]
        if w is None:
            y, after = layer(x, flag), layer.read()
            return {"y": numbers(y), **_arrays(after)}
        traced = function_of(layer, flag)
        if traced is None:
            return {}
        y, pull = jax.vjp(lambda state, batch: traced.call(state, batch)[0], traced.state, x)
        of_state, of_x = pull(jnp.asarray(w).reshape(y.shape).astype(y.dtype))
        return {**_arrays(traced.read(of_state)), "x": numbers(of_x)}
    return {}


def _arrays(held: Mapping[str, Any]) -> dict[str, Any]:
    return {name: numbers(held[name]) for name in ARRAYS if name in held}


def _build(implementation: Implementation, made: Mapping[str, Any]) -> Layer:
    given = (made[name] for name in ("features", "momentum", "eps", "seed"))
    layer: Layer = build(implementation, *given).value
    return layer


def _statistics(implementation: Implementation, made: Mapping[str, Any]) -> _Names:
    """Return the attributes of the running statistics, each with that of the other."""
    own: Mapping[str, str] = getattr(_build(implementation, made), "attributes", {})
    one, two = (own.get(name, name).rpartition(".")[2] for name in STATISTICS)
    return ((one, two), (two, one)) if one != two else ()


@lru_cache(8)
def _edits(file: str, names: _Names) -> tuple[ast.Module, list[Edit]]:
    """Return a source that may be edited, and its edits."""
    tree = deepcopy(parse(file))
    return tree, edits_of(tree, dict(names))


def _lines_of_rules(tree: ast.Module) -> set[int]:
    """Return the lines of the functions that are given as rules of a derivative."""
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
    rules = [each for each in calls if getattr(each.func, "attr", "") in {"defvjp", "defjvp"}]
    names = {getattr(given, "id", "") for each in rules for given in each.args}
    functions = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))
    return {line for each in functions if each.name in names for line in _lines_of(each)}


def _lines_of(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _executed(
    implementation: Implementation, made: Mapping[str, Any]
) -> defaultdict[str, dict[int, int]]:
    """Return the lines of the implementation that a call executes, by file, in their order."""
    lines = defaultdict[str, dict[int, int]](dict)
    turns = count()
    own = cache(is_own)

    def step(frame: FrameType, _event: str, _argument: Any) -> Any:
        file = frame.f_code.co_filename
        if not own(file):
            return None
        lines[file].setdefault(frame.f_lineno, next(turns))
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        _results(implementation, made)
    finally:
        sys.settrace(before)
    return lines
