"""Finds the functions that a script uses, and copies their source."""

from __future__ import annotations

import ast
import inspect
from functools import cache

from conformance.numerics import decimal_oracle, oracle
from conformance.report.reproducers import deriving, driving

_FORMULAS = (
    oracle.float64,
    oracle.moments,
    oracle.normalize,
    oracle.ema,
    oracle.training_call,
    oracle.evaluation_call,
    oracle.gradients,
    decimal_oracle.decimals,
)
"""The functions of the oracles that hold for plain arrays, in the order of a script."""


class _Bare(ast.NodeTransformer):
    """Removes annotations, which a script does not need."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node


@cache
def _functions() -> dict[str, ast.FunctionDef]:
    """Return the functions that scripts may use, by name, in order."""
    return {
        node.name: node
        for source in (*_FORMULAS, driving, deriving)
        for node in ast.parse(inspect.getsource(source)).body
        if isinstance(node, ast.FunctionDef)
    }


def names_in(text: str) -> set[str]:
    """Return the names that a source text uses."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def pieces_for(text: str) -> list[str]:
    """Return the source of the functions that a text uses, directly or not."""
    functions, needed = _functions(), set[str]()
    waiting = names_in(text) & functions.keys()
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= (names_in(ast.unparse(functions[name])) & functions.keys()) - needed
    return [_source(node) for name, node in functions.items() if name in needed]


@cache
def _source(node: ast.FunctionDef) -> str:
    bare = _Bare().visit(ast.parse(ast.unparse(node)))
    return ast.unparse(bare)
