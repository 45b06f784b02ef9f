"""A report as SARIF 2.1.0, which code scanning reads."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from conformance.adapters.errors import printable
from conformance.report.model import Report
from conformance.report.places import Place, describe_failure, fails_run, places
from conformance.requirements import Requirement
from conformance.requirements.verdict import Outcome, Verdict

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_sarif(report: Report) -> str:
    """Return a result for each requirement that is not met; a waived one is suppressed.

    Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    results: dict[str, dict[str, Any]] = {}
    for name in report.header.implementations:
        for cause, place in places(report, name):
            for verdict in cause.verdicts:
                found = _result(verdict, cause.sentence, place, strict=report.header.strict)
                results.setdefault(verdict.pair, found)
    for verdict in report.verdicts:
        if verdict.outcome is Outcome.WAIVED:
            found = _result(verdict, "", None, strict=report.header.strict)
            waiver = {"kind": "external", "justification": printable(verdict.detail)}
            results[verdict.pair] = found | {"suppressions": [waiver]}
    used = dict.fromkeys(result["ruleId"] for result in results.values())
    driver = {
        "name": "batchnorm-conformance",
        "version": report.header.environment.get("batchnorm-conformance", "unknown"),
        "rules": [_rule(report.rows[identity]) for identity in used],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": report.complete}],
        "results": [*results.values()],
        "columnKind": "utf16CodeUnits",
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _rule(row: Requirement) -> dict[str, Any]:
    return {
        "id": row.id,
        "shortDescription": {"text": row.statement},
        "fullDescription": {"text": f"{row.statement} {row.why}"},
        "help": {"text": f"conformance explain {row.id}"},
    }


def _result(
    verdict: Verdict, sentence: str, place: Place | None, *, strict: bool
) -> dict[str, Any]:
    why = f"{sentence}. " if sentence else ""
    digest = hashlib.sha256(verdict.pair.encode()).hexdigest()
    result: dict[str, Any] = {
        "ruleId": verdict.requirement,
        "level": "error" if fails_run(verdict, strict=strict) else "warning",
        "message": {
            "text": printable(f"{verdict.implementation}: {why}{describe_failure(verdict)}")
        },
        "partialFingerprints": {"requirementAndImplementation/v1": digest},
    }
    if place is not None:
        region = {"startLine": place.line}
        if place.column:
            region |= {"startColumn": place.column, "endColumn": place.end_column}
            region |= {"endLine": place.end_line}
        artifact = {"uri": quote(place.file), "uriBaseId": "%SRCROOT%"}
        result["locations"] = [
            {"physicalLocation": {"artifactLocation": artifact, "region": region}}
        ]
    return result
