"""A process of its own for every implementation, so that what it breaks is its own.

``host`` starts the process, asks it for verdicts and gives one where it cannot; ``guest``
runs in it; ``stamp`` is how the guest says what it is doing; ``items`` are the pytest items.
``limits`` is what it may take; ``diagnosing`` asks for the most likely mistake.
"""
