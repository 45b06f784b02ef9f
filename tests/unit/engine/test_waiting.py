"""How long a supervisor waits."""

from __future__ import annotations

from conformance.engine.sandbox.waiting import Waiting


def test_only_what_goes_forward_is_progress():
    """Reports that go back and forth end no waiting, though each of them is a change."""
    waiting = Waiting()
    for place in (0, 1, 0, 1, 0, 1):
        waiting.go_on(1.0, place)
    assert (waiting.by_place, waiting.by_count, waiting.total) == (4.0, 0.0, 6.0)

    waiting.go_on(1.0, 2)
    assert waiting.by_place == 0.0


def test_silence_adds_up():
    """Without a report, both clocks run."""
    waiting = Waiting()
    for _ in range(4):
        waiting.go_on(1.0, 5)
    assert (waiting.by_place, waiting.by_count) == (3.0, 3.0)
