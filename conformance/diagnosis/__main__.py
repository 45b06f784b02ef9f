"""Diagnose one implementation, which a worker imports and calls: JSON in, JSON out.

Standard input: {"implementation": name, "strictly": bool}.
Standard output: the diagnosis, on the last line.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings

from conformance.diagnosis.client import PATIENCE
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.worker_process import WorkerProcess


def main() -> None:
    """Read the question and print the diagnosis."""
    warnings.simplefilter("ignore")
    question = json.load(sys.stdin)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("there is no diagnosis in time"))
    signal.alarm(PATIENCE)
    worker = WorkerProcess(question["implementation"], Limits(), strictly=question["strictly"])
    try:
        from conformance.diagnosis import diagnose  # noqa: PLC0415  while the worker starts

        found = diagnose(worker.receive_declaration(), worker)
    finally:
        worker.close()
    print(json.dumps(found.to_json()))


if __name__ == "__main__":
    main()
