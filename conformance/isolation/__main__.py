"""``python -m conformance.isolation``: judge what is asked for on the standard input."""

from conformance.isolation.guest import main

main()
