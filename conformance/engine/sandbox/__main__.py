"""``python -m conformance.engine.sandbox``: a worker that serves requests on standard input."""

import sys

from conformance.engine.sandbox.worker import main

main(int(sys.argv[1]))
