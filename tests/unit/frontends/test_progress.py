"""The progress on a terminal names what is found before the run ends; a pipe gets nothing."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from conformance.frontends.collection import Collection
from conformance.frontends.options import COMMAND_LINE
from conformance.frontends.progress import ProgressDisplay
from conformance.frontends.run_config import RunConfig

LINE = {"file": "my_norm.py", "line": 22}
MISTAKES = [{"sentence": "γ is not applied", "line": LINE}, {"sentence": "ε is not added"}]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_probable_mistakes_are_shown_with_their_lines(is_terminal: bool):
    """Below the bar, as long as there is one."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=is_terminal, width=80)
    run = RunConfig.from_options({"implementations": ("impl",)}, COMMAND_LINE)
    with ProgressDisplay(Collection(run), console) as display:
        display.name(MISTAKES)
    shown = [line.strip() for line in written.getvalue().splitlines() if "Probably" in line]
    wanted = ["Probably: γ is not applied. my_norm.py:22", "Probably: ε is not added."]
    assert [line for line in wanted if any(line in each for each in shown)] == (
        wanted if is_terminal else []
    )
