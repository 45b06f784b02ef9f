"""A small edit of a source, and what is around the place where it is made."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from conformance.adapters.operations.other_expressions import Function, Rank

INSTEAD, ALSO, IN_TRAINING, WITHOUT = "instead", "also", "in training", "without"
"""How an edit changes the place that is shown: by other text, by a statement that follows, by a
condition on it, or by its absence."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one field of a node.

    Attributes:
        rank: How usual it is.
        shown: The expression, or the first statement, that it concerns.
        how: How it changes that.
        text: What is there then.
        holder: The node.
        field: The field.
        before: Its value.
        after: Its value after the edit.
        statement: The statement around; None for none.
        scope: The names of the classes and functions around.
    """

    rank: Rank
    shown: ast.expr | ast.stmt
    how: str
    text: str
    holder: ast.AST
    field: str
    before: Any
    after: Any
    statement: ast.stmt | None
    scope: tuple[str, ...]

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make the edit, for a while."""
        setattr(self.holder, self.field, self.after)
        try:
            yield
        finally:
            setattr(self.holder, self.field, self.before)


@dataclass(frozen=True, slots=True)
class File:
    """What is known of a file.

    Attributes:
        statistics: The attributes of the running mean and variance, each by that of the other.
        kinds: What the names of the module are.
        flags: The parameters by which something is decided.
        complements: Whether something is subtracted from one.
        calls: Its calls, by what they call, each with the variables of the function around.
    """

    statistics: Mapping[str, str]
    kinds: Mapping[str, Any]
    flags: frozenset[str]
    complements: bool
    calls: Mapping[str, Sequence[tuple[ast.Call, frozenset[str]]]]


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a node: names of scopes, function, statement, and expression to show.

    ``constructor`` is that of the class.
    """

    file: File
    scope: tuple[str, ...] = ()
    function: Function | None = None
    statement: ast.stmt | None = None
    shown: ast.expr | ast.stmt | None = None
    constructor: Function | None = None
