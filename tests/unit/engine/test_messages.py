"""Messages between a supervisor and its workers."""

from __future__ import annotations

import json

from conformance.diagnosis.behaviours.observer import ObserveRequest
from conformance.engine.budget import budget
from conformance.engine.sandbox import judging
from conformance.engine.sandbox.judging import JudgeRequest
from conformance.engine.sandbox.messages import Reply, decode_request, encode


def test_a_request_names_its_handler():
    """A worker finds the function, and the fields are its keyword arguments."""
    request = JudgeRequest(requirement="BN-EMA-1", budget=budget(max_examples=7), until=1.5)
    handler, arguments = decode_request(encode(request))

    assert handler is judging.handle
    assert (arguments["requirement"], arguments["until"]) == ("BN-EMA-1", 1.5)
    assert arguments["budget"]["max_examples"] == 7


def test_the_sandbox_knows_no_request_of_other_packages():
    """What another package asks for is handled by a function of that package."""
    handler, arguments = decode_request(encode(ObserveRequest(behaviour="flags")))

    assert handler.__module__ == ObserveRequest.__module__
    assert arguments == {"behaviour": "flags"}


def test_a_reply_is_one_line():
    """Lines separate messages, so line ends inside a message are escaped."""
    reply = Reply(result={"detail": "two\nlines"}, effects=["sys.stdout"])
    line = encode(reply)

    assert line.count("\n") == 1
    assert Reply(**json.loads(line)) == reply
