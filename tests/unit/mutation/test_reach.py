"""What is executed of a module is noted, statement by statement and branch by branch."""

from __future__ import annotations

import ast

from conformance.mutation.reach import Place, Reach, missed, reached_lines

SOURCE = '''
def first(x, flag=None):
    """Text."""
    if x > 0:
        y = 1
    else:
        y = 2
    if y == 1:
        y += 1
    while y > 5:
        y -= 1
    sign = 1 if x > 0 else -1
    return flag and flag.name or sign

class Second:
    limit = 3 if __name__ else 4

    def call(self):
        try:
            return self.limit
        except AttributeError:
            return 0

def not_looked_at():
    return 1
'''


def run(*arguments, call=False):
    reach = Reach()
    tree, names = reach.instrument(SOURCE, ("first", "Second"))
    space = {"__name__": "toy", **names}
    exec(compile(tree, "toy", "exec"), space)
    results = [space["first"](*each) for each in arguments]
    if call:
        results.append(space["Second"]().call())
    return results, reach


def test_values_are_the_same():
    """A module that notes what is executed computes what it did before."""
    space: dict = {"__name__": "toy"}
    exec(compile(ast.parse(SOURCE), "toy", "exec"), space)
    results, _ = run((1,), (-1,), call=True)

    assert results == [space["first"](1), space["first"](-1), 3]


def test_what_is_missed():
    """Statements, sides that are not taken and operands that are not evaluated; the rest is not."""
    _, reach = run((1,))

    assert missed(reach.places, reach.executed) == [
        Place(7),
        Place(8, "`y == 1` is never false"),
        Place(11),
        Place(12, "`x > 0` is never false"),
        Place(13, "`flag.name` is never evaluated"),
        Place(19),
        Place(20),
        Place(22),
    ]


def test_nothing_is_missed_by_enough_calls():
    """What several processes have executed adds up, and a loop is reached by its first pass."""
    _, first = run((1,), call=True)
    _, second = run((-1,))
    assert first.places == second.places
    left = missed(first.places, first.executed | second.executed)
    lines, reached = reached_lines(first.places, first.executed)

    assert [place.line for place in left] == [11, 13, 22]
    assert lines - reached == {7, 11, 22}
