"""What `conformance mutate` prints of its result."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from conformance.frontends.cli.mutate_summary import print_summary
from conformance.mutation.document import document
from conformance.mutation.mutants import mutants_of
from conformance.mutation.reach import Place
from conformance.mutation.results import EditOutcome, JudgedEdit, MutationResult, Original

SOURCE = "def f(x):\n    y = x + 1\n    return y\n"
EDITS = mutants_of(SOURCE, ("f",), file="f.py", prefix="edit")
PLACES = (Place(2), Place(3), Place(4), Place(6), Place(9, "`flag` is never true"))


def judged(number: int, outcome: EditOutcome, **fields) -> JudgedEdit:
    return JudgedEdit(edit=EDITS[number], outcome=outcome, **fields)


RESULT = MutationResult(
    name="f.py:f",
    made=len(EDITS),
    planned=7,
    original=Original(
        file="f.py",
        suggestions=("deviations={Deviation.ONE_PASS_VARIANCE}",),
        outcomes={"BN-EMA-1": "violates", "BN-EMA-2": "conforms"},
        places=PLACES,
        executed=frozenset({0}),
    ),
    found=[
        judged(5, EditOutcome.NOT_CAUGHT, same_program=True),
        judged(4, EditOutcome.NOT_CAUGHT, recognized="Implementation.nnx(f)"),
        judged(3, EditOutcome.NOT_CAUGHT, reached=False),
        judged(2, EditOutcome.NOT_CAUGHT),
        judged(1, EditOutcome.CAUGHT, by="BN-EMA-2", should=True),
        judged(0, EditOutcome.NOT_JUDGED, detail="SyntaxError"),
    ],
)


def printed(result: MutationResult) -> list[str]:
    console = Console(file=StringIO(), width=200, color_system=None)
    print_summary(result, 12.3, console)
    return console.file.getvalue().splitlines()


def test_what_is_not_caught_is_listed_by_reason():
    """What may change something comes first; a part of the edits is said to be one."""
    edit = [f"   line {each.line}: {each.before}  →  {each.after}" for each in EDITS]

    assert printed(RESULT) == [
        "! The layer itself does not meet BN-EMA-1, so what these see is not caught.",
        "  To declare, if it is meant: deviations={Deviation.ONE_PASS_VARIANCE}",
        "f.py:f: 1 of 5 edits would have been caught; these 4 not:",
        edit[2],
        " Recognized as another layer, Implementation.nnx(f):",
        edit[4],
        " On a line that no case reaches:",
        edit[3],
        " With the same program as before, as far as it was traced:",
        edit[5],
        " No case reaches line 3–6.",
        " Line 9: `flag` is never true.",
        " Caught first by BN-EMA-2 (1).",
        " 1 caught by a SHOULD alone, which fails a run only with --strict.",
        " 1 further edits cannot be imported, constructed or called at all.",
        f"6 of 7 edits, drawn from {len(EDITS)}, 12 s.",
    ]


def test_all_are_caught():
    """One line says so."""
    found = [judged(number, EditOutcome.CAUGHT, by="BN-EMA-2") for number in (0, 1)]
    original = Original(places=(Place(2),), executed=frozenset({0}))
    result = replace(RESULT, found=found, made=2, planned=2, original=original)

    assert printed(result) == [
        "f.py:f: all 2 edits would have been caught.",
        " Caught first by BN-EMA-2 (2).",
        "2 edits, 12 s.",
    ]


def test_the_document_has_every_edit():
    """In JSON the edits are grouped by their outcome, in the order of the source."""
    data = document(RESULT)

    assert not data["complete"]
    assert data["counts"] == {
        "made": len(EDITS),
        "planned": 7,
        "caught": 1,
        "not_caught": 4,
        "not_judged": 1,
    }
    assert data["set_aside"] == {"BN-EMA-1": "violates"}
    assert data["unreached"][-1] == {"line": 9, "branch": "`flag` is never true"}
    assert [each["level"] for each in data["edits"]] == ["should", *[""] * 5]
    assert [each["after"] for each in data["edits"][1:5]] == [each.after for each in EDITS[2:6]]
