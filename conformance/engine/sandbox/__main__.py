"""``python -m conformance.engine.sandbox``: judge what is asked for on the standard input."""

from conformance.engine.sandbox.worker import main

main()
