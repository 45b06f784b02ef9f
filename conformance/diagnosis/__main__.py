"""Answers questions about one implementation, which a worker imports and calls: JSON lines.

Standard input begins with {"implementation": name, "strictly": bool, "diagnose": bool}; if it is
to be diagnosed, that begins at once. Each further line is a question, and has one line of answer:
{"explain": violations} is answered by the diagnosis, {"minimize": violations, "budget": ...} by
the same violations on smaller inputs.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from conformance.diagnosis.client import PATIENCE, VERIFYING
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.requirements.verdict import Verdict


def main() -> None:
    """Read the questions and print the answers."""
    warnings.simplefilter("ignore")
    about = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("there is no answer in time"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the answer is not needed"))
    signal.alarm(PATIENCE)
    worker = WorkerProcess(about["implementation"], Limits(), strictly=about["strictly"])
    try:
        _answer(worker, sys.stdin, diagnose=about["diagnose"])
    finally:
        worker.close()


def _answer(worker: WorkerProcess, questions: Iterable[str], *, diagnose: bool) -> None:
    from conformance.diagnosis.explanation import examine  # noqa: PLC0415  while the worker starts
    from conformance.diagnosis.verification import judge_again  # noqa: PLC0415
    from conformance.properties.support.subject import Subject  # noqa: PLC0415

    subject = Subject(worker.receive_declaration(), worker)
    examined = examine(subject) if diagnose else None
    signal.alarm(0)
    for line in questions:
        signal.alarm(PATIENCE)
        question = json.loads(line)
        if "minimize" in question:
            again = judge_again(subject, _verdicts(question, "minimize"), question["budget"])
            answer: Any = [verdict.to_json(internal=True) for verdict in again]
        else:
            assert examined is not None, "it was to be diagnosed"  # noqa: S101
            answer = examined.explain(_verdicts(question, "explain"), time.time() + VERIFYING)
        signal.alarm(0)
        print(json.dumps(answer), flush=True)


def _verdicts(question: Mapping[str, Any], key: str) -> list[Verdict]:
    return [Verdict.from_json(each) for each in question[key]]


if __name__ == "__main__":
    main()
