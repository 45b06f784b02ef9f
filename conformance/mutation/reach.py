"""Which statements and branches of a module are executed: calls that note them are put in between.

Tracing by the interpreter would slow down all of JAX; these calls cost nothing elsewhere.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from conformance.mutation.edit_scopes import Function

_NOTE = "_conformance_note_reached"
"""The name of the function that notes a place; no class mangles it."""

_BODIES = ("body", "orelse", "finalbody")
_Compound = (
    Function
    | ast.If
    | ast.For
    | ast.While
    | ast.With
    | ast.Try
    | ast.ExceptHandler
    | ast.match_case
)


@dataclass(frozen=True, slots=True)
class Place:
    """Something that is executed or not.

    Attributes:
        line: The line where it starts.
        branch: What never happens if a branch is not taken; empty for a statement.
    """

    line: int
    branch: str = ""


@dataclass
class Reach:
    """The places of a module, and which of them were executed.

    Attributes:
        places: The places, in the order in which they were found.
        executed: The numbers of those that were executed.
    """

    places: list[Place] = field(default_factory=list)
    executed: set[int] = field(default_factory=set)

    def instrument(
        self, text: str, definitions: Iterable[str]
    ) -> tuple[ast.Module, dict[str, Callable[[int], None]]]:
        """Return a module that notes what is executed in it, and the names that it needs.

        Args:
            text: The source of the module.
            definitions: The names of the functions and classes to look at.
        """
        module = ast.parse(text)
        for definition in module.body:
            if isinstance(definition, Function | ast.ClassDef) and definition.name in definitions:
                for function in _functions(definition):
                    inside = [node for each in function.body for node in ast.walk(each)]
                    for node in (function, *inside):
                        self._note_expressions(node)
                        self._note_statements(node)
        return ast.fix_missing_locations(module), {_NOTE: self.executed.add}

    def _note_statements(self, node: ast.AST) -> None:
        """Note each statement of the bodies of a compound statement, and that it had no else."""
        if not isinstance(node, _Compound):
            return
        if isinstance(node, ast.If) and not node.orelse:
            never = f"`{ast.unparse(node.test)}` is never false"
            node.orelse = [ast.Expr(self._call(Place(node.lineno, never)))]
        for name in _BODIES:
            body = getattr(node, name, None)
            if body:
                setattr(node, name, [each for one in body for each in self._noted(one)])

    def _noted(self, statement: ast.stmt) -> list[ast.stmt]:
        if isinstance(statement, ast.Expr) and not hasattr(statement, "lineno"):
            return [statement]  # which notes a branch already
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            return [statement]  # a docstring
        return [ast.Expr(self._call(Place(statement.lineno))), statement]

    def _note_expressions(self, node: ast.AST) -> None:
        """Note the sides of a conditional expression, and later operands of ``and`` and ``or``."""
        if isinstance(node, ast.IfExp):
            test = ast.unparse(node.test)
            node.body = self._wrap(node.body, f"`{test}` is never true")
            node.orelse = self._wrap(node.orelse, f"`{test}` is never false")
        elif isinstance(node, ast.BoolOp):
            first, *later = node.values
            texts = [f"`{ast.unparse(each)}` is never evaluated" for each in later]
            wrapped = [self._wrap(*pair) for pair in zip(later, texts, strict=True)]
            node.values = [first, *wrapped]

    def _wrap(self, value: ast.expr, never: str) -> ast.expr:
        pair = ast.Tuple([self._call(Place(value.lineno, never)), value], ast.Load())
        return ast.Subscript(pair, ast.Constant(1), ast.Load())

    def _call(self, place: Place) -> ast.Call:
        self.places.append(place)
        return ast.Call(ast.Name(_NOTE, ast.Load()), [ast.Constant(len(self.places) - 1)], [])


def _functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a definition that are in no other; what is in them is called."""
    if isinstance(node, Function):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _functions(child)


def reached_lines(places: Sequence[Place], executed: Collection[int]) -> tuple[set[int], set[int]]:
    """Return the lines of all statements, and of those that were executed."""
    lines = {place.line for place in places if not place.branch}
    return lines, {places[at].line for at in executed if not places[at].branch}


def missed(places: Sequence[Place], executed: Collection[int]) -> list[Place]:
    """Return the places that were not executed in the order of their lines.

    Branches of a statement that was not executed either are left out.
    """
    lines, reached = reached_lines(places, executed)
    done = {places[at] for at in executed}
    left = {place for place in places if place not in done}
    shown = (place for place in left if not place.branch or place.line not in lines - reached)
    return sorted(shown, key=lambda place: (place.line, place.branch))
