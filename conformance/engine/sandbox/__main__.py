"""``python -m conformance.engine.sandbox``: a worker that serves requests on standard input."""

from conformance.engine.sandbox.worker import main

main()
