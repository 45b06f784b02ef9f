"""A way to judge that ends the process; processes that judge can import it."""

from __future__ import annotations

import os
import signal

from conformance.engine.tasks import Judge, Pair
from conformance.requirements.verdict import Verdict

ROWS = ("BN-INIT-1", "BN-INIT-2", "BN-INIT-3")


def end_in_the_second(pair: Pair, judge: Judge) -> Verdict:
    """Judge, but end the process that judges in one of the pairs."""
    if pair[0] == ROWS[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    return judge(None)
