"""Messages between a supervisor and its workers."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest

from conformance.adapters.operations.values import Failed, Given, Operation, Ref
from conformance.adapters.operations.wire import LENGTH, decode, encode, sizes_of
from conformance.engine.sandbox.messages import (
    NUMBER,
    Init,
    Reply,
    Request,
    executing,
    find_handler,
    handling,
    operations_of,
    outcome_of,
    place_of,
    read_outcome,
)

TWO = (Operation("build", (), 1, "the constructor"), Operation("call", (), None, "the call"))


def sent(content: Any) -> Any:
    """Return what arrives at the other end."""
    message = encode(content)
    end = LENGTH + int.from_bytes(message[:LENGTH], "little")
    found, sizes = sizes_of(message[LENGTH:end])
    buffers = []
    for size in sizes:
        buffers.append(message[end : end + size])
        end += size
    assert end == len(message)
    return decode(found, buffers)


def test_a_request_names_its_handler():
    """A worker finds the function, which is of another package, and its keyword arguments."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Asked(Request):
        handler = "json:dumps"
        indent: int

    assert find_handler(sent(handling(Asked(indent=2)))) == (json.dumps, {"indent": 2})


def test_a_request_to_execute_has_no_words():
    """Operations arrive with their arguments and where to keep the result, without labels."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    asked = (
        Operation("put", (Given(x, "strided_view"),), 7, "passing x"),
        Operation("call", (Ref(3), Ref(7), math.inf), None, "the call", "flag=inf"),
    )
    content = sent(executing(asked, new_case=True) | {NUMBER: "5f"})
    put, call = operations_of(content)

    assert content["new_case"] is True
    assert (put.name, put.result, put.label, put.detail) == ("put", 7, "5f:0", "")
    assert put.arguments[0].form == "strided_view"
    assert np.array_equal(put.arguments[0].value, x)
    assert call == Operation("call", (Ref(3), Ref(7), math.inf), None, "5f:1")
    assert place_of(call.label, "5f") == 1
    assert place_of(call.label, "5e") == place_of("5f:x", "5f") == place_of("", "5f") == -1


@pytest.mark.parametrize(
    "message",
    [
        Reply(result={"detail": "two\nlines"}, effects=["sys.stdout"]),
        Reply(refusal="\ud800 \u202e"),
        Init(implementation="norm.py:Norm", strictly=True, path=["", "a b"]),
    ],
)
def test_messages_arrive_as_they_are(message: Init | Reply):
    """Line ends, surrogates and everything else in a text included."""
    assert type(message)(**sent(asdict(message))) == message


def test_the_outcome_of_operations_arrives():
    """Results, or those before a failure, with what the exception was."""
    results = [None, np.ones(2, np.float32)]
    arrived = read_outcome(sent(outcome_of(results)), TWO)
    assert arrived[0] is None
    assert np.array_equal(arrived[1], results[1])

    error = ValueError("no")
    failed = Failed([None], "ValueError: no", place="norm.py, line 3", error=error)
    arrived = read_outcome(sent(outcome_of(failed)), TWO)
    assert arrived == Failed([None], "ValueError: no", place="norm.py, line 3")
    ended = Failed([], "SystemExit", refused=False, of_suite=True)
    restoring = (Operation("restore_checkpoint", (), None, "a checkpoint"), *TWO)
    assert read_outcome(sent(outcome_of(ended)), restoring) == ended


def test_the_environment_is_not_to_blame_for_a_call():
    """Whatever a worker says: it can prevent few operations, and a call is not one of them."""
    blamed = Failed([None], "OSError: no", of_suite=True)
    assert read_outcome(sent(outcome_of(blamed)), TWO) == Failed([None], "OSError: no")


@pytest.mark.parametrize(
    "content",
    [
        None,
        3,
        "two",
        [],
        [1],
        [1, 2, 3],
        {},
        {"failed": ["text", True, False, ""]},
        {"before": [], "failed": None},
        {"before": [], "failed": []},
        {"before": [], "failed": ["text", True, False]},
        {"before": [], "failed": ["text", True, False, "", 1]},
        {"before": [1, 2], "failed": ["text", True, False, ""]},
        {"before": "a", "failed": ["text", True, False, ""]},
        {"before": None, "failed": ["text", True, False, ""]},
        np.ones(2),
    ],
)
def test_other_answers_to_operations_are_none(content: object):
    """An answer has as many results as there are operations, or fewer and a failure."""
    with pytest.raises((ValueError, TypeError, KeyError)):
        read_outcome(content, TWO)


def test_a_failure_says_text_and_truth_alone():
    """What else a worker puts into a failure becomes text, or false."""
    failed = read_outcome({"before": [], "failed": [["a"], 1, "yes", "\u202e"]}, TWO)
    assert failed == Failed([], "['a']", refused=False, of_suite=False, place="\\u202e")
