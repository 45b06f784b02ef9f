"""Names by which the parts of the plugin find one another, also across processes."""

from __future__ import annotations

COLLECTOR = "conformance-collector"
"""Name under which the ``VerdictCollector`` of the controlling process is registered. Whoever
calls pytest may register one before, and its configuration is the one that counts."""

RUN_CONFIG = "conformance_run_config"
"""Key of ``workerinput``: the pickled ``RunConfig`` of the controlling process."""

REFUSAL = "conformance_refusal"
"""Key of ``workeroutput``: why a worker can judge nothing."""

PEAK_MEMORY = "conformance_peak_memory"
"""Key of ``workeroutput``: the largest resident memory of each implementation, in bytes."""

READING = "conformance-reading"
"""User property of a test report: how an implementation without an adapter was recognized, and the
numbers that its source mentions."""

VERDICT = "conformance"
"""User property of a test report: the verdict, as JSON."""

EFFECTS = "conformance-side-effects"
"""User property of a test report: the process-wide state that the implementation changed."""
