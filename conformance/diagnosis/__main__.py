"""Diagnose one implementation, which a worker imports and calls: JSON in, JSON out.

Standard input: {"implementation": name, "strictly": bool, "verdicts": the violations}.
Standard output: the diagnosis, on the last line.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import warnings

from conformance.diagnosis.client import PATIENCE, VERIFYING
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.requirements.verdict import Verdict


def main() -> None:
    """Read the question and print the diagnosis."""
    warnings.simplefilter("ignore")
    question = json.load(sys.stdin)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("there is no diagnosis in time"))
    signal.alarm(PATIENCE)
    worker = WorkerProcess(question["implementation"], Limits(), strictly=question["strictly"])
    try:
        from conformance.diagnosis.explanation import explain  # noqa: PLC0415  while the worker starts

        verdicts = [Verdict.from_json(each) for each in question.get("verdicts", ())]
        until = time.time() + VERIFYING
        found = explain(worker.receive_declaration(), worker, verdicts, until)
    finally:
        worker.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
