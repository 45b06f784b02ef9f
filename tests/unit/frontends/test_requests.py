"""Requests to the service: what they may say, and how they are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.frontends.options import OptionError
from conformance.frontends.requests import read_request


def test_options_of_a_run_are_keys():
    """With the rules and the defaults of the command line."""
    line = {"implementation": "impl", "requirements": ["EMA"]}
    line |= {"seed": 3, "max_time": 5, "grade": True}
    request = read_request(json.dumps(line).encode())

    assert request.run.implementations == ("impl",)
    assert request.run.budget.seed == 3
    assert {row.family for row in request.run.requirements} == {"EMA"}
    assert (request.diagnose, request.grade, request.hides_inputs) == (True, True, False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], 'an object with the key "implementation", a string'),
        ({"implementation": 3}, 'an object with the key "implementation", a string'),
        ({"sed": 3}, "'sed': a request has no such key. There are: call_timeout"),
        ({"report": "x.json"}, "'report': a request has no such key"),
        ({"seed": "3"}, "seed '3': expected an integer"),
        ({"seed": True}, "seed True: expected an integer"),
        ({"seed": -1}, "seed -1: expected an integer of at least 0"),
        ({"max_time": "long"}, "max_time 'long': expected a number"),
        ({"strict": 1}, "strict 1: expected true or false"),
        ({"requirements": [3]}, "requirements 3: expected a string"),
        ({"requirements": ["EMU"]}, "EMU"),
        ({"profile": "long"}, "profile 'long': expected one of quick, default, thorough"),
    ],
)
def test_a_request_that_cannot_be_used_is_refused(given: Any, message: str):
    """The message names the key, the value and the rule."""
    if isinstance(given, dict):
        given = {"implementation": "impl"} | given
    with pytest.raises(OptionError) as refused:
        read_request(json.dumps(given).encode())
    assert message in str(refused.value)


def test_what_is_not_json_is_refused():
    """Also what is not text at all."""
    for line in (b"", b"{", b"\xff\n"):
        with pytest.raises(OptionError, match="one line of JSON"):
            read_request(line)
